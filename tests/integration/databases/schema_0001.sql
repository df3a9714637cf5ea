BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE brackets (
	experiment_id INTEGER NOT NULL, 
	bracket_id INTEGER NOT NULL, 
	max_trials INTEGER NOT NULL, 
	max_concurrent_trials INTEGER, 
	trials_created INTEGER NOT NULL, 
	PRIMARY KEY (experiment_id, bracket_id)
)
 WITHOUT ROWID

;
INSERT INTO "brackets" VALUES(1,0,4,NULL,4);
INSERT INTO "brackets" VALUES(2,0,12,NULL,2);
CREATE TABLE checkpoints (
	experiment_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	token INTEGER NOT NULL, 
	sequence BIGINT NOT NULL, 
	uri TEXT NOT NULL, 
	resource BIGINT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	checksum TEXT NOT NULL, 
	create_time DOUBLE NOT NULL, 
	delete_time DOUBLE, 
	deleted BOOLEAN NOT NULL, 
	PRIMARY KEY (experiment_id, trial_id, token, sequence)
)
 WITHOUT ROWID

;
INSERT INTO "checkpoints" VALUES(1,0,1,4,'file:///srv/search/checkpoints/1/0/1-3-65332a39',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.79554675495042634011e+09,1.79554675567962312692e+09,1);
INSERT INTO "checkpoints" VALUES(1,1,1,4,'file:///srv/search/checkpoints/1/1/1-3-f61af479',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.79554675491916942596e+09,1.79554675567962312692e+09,1);
INSERT INTO "checkpoints" VALUES(1,2,1,10,'file:///srv/search/checkpoints/1/2/1-9-6c48a199',9,13,'157c30b5f23c97da77275e36c2b634ec694725c570a0e4d2278cde485c12d726',1.79554675556229686736e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(1,3,1,4,'file:///srv/search/checkpoints/1/3/1-3-acba9e10',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.79554675550995922086e+09,1.79554675567962312692e+09,1);
CREATE TABLE events (
	event_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	experiment_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	create_time DOUBLE NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	data TEXT NOT NULL
);
INSERT INTO "events" VALUES(1,1,NULL,1.79554675433025646208e+09,'experiment_created','{"name":"done"}');
INSERT INTO "events" VALUES(2,1,0,1.79554675433077669147e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(3,1,0,1.79554675433077669147e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(4,1,1,1.7955467543909237384e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(5,1,1,1.7955467543909237384e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(6,1,0,1.79554675481711888311e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":3,"metric":0.945388682917,"target":null,"reason":"rank 1 of 1 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(7,1,1,1.79554675485859918594e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":3,"metric":0.7331163600999999,"target":null,"reason":"rank 1 of 2 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(8,1,2,1.7955467550115876198e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(9,1,2,1.7955467550115876198e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(10,1,1,1.7955467550161156654e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(11,1,3,1.79554675503769898409e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(12,1,3,1.79554675503769898409e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(13,1,0,1.79554675504722118374e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(14,1,2,1.79554675544420599942e+09,'decision','{"action":"continue","bracket":0,"rung":1,"resource":3,"metric":0.3495260093066,"target":9,"reason":"rank 1 of 3 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(15,1,3,1.79554675544813823698e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":3,"metric":0.967302590213,"target":null,"reason":"rank 4 of 4 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(16,1,2,1.79554675549061655993e+09,'decision','{"action":"stop","bracket":0,"rung":1,"resource":9,"metric":0.1995260093066,"target":null,"reason":"trained to the last rung at 9: rank 1 of 1 at rung 1"}');
INSERT INTO "events" VALUES(17,1,3,1.795546755606711626e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(18,1,2,1.79554675567955183976e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(19,1,NULL,1.79554675567962312692e+09,'experiment_completed','{"reason":"the search has ended"}');
INSERT INTO "events" VALUES(20,2,NULL,1.79554675613377380375e+09,'experiment_created','{"name":"toy"}');
INSERT INTO "events" VALUES(21,2,0,1.79554675613394069673e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(22,2,0,1.79554675613394069673e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(23,2,1,1.7955467561413333416e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(24,2,1,1.7955467561413333416e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(25,2,0,1.79554675660874819755e+09,'decision','{"action":"continue","bracket":0,"rung":1,"resource":1,"metric":1.195388682917,"target":3,"reason":"rank 1 of 1 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(26,2,1,1.79554675665181875227e+09,'decision','{"action":"continue","bracket":0,"rung":1,"resource":1,"metric":0.9831163600999999,"target":3,"reason":"rank 1 of 2 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(27,2,0,1.79554675682082414628e+09,'decision','{"action":"continue","bracket":0,"rung":2,"resource":3,"metric":0.945388682917,"target":9,"reason":"rank 1 of 1 at rung 1, the best goes on"}');
INSERT INTO "events" VALUES(28,2,1,1.79554675686526513103e+09,'decision','{"action":"continue","bracket":0,"rung":2,"resource":3,"metric":0.7331163600999999,"target":9,"reason":"rank 1 of 2 at rung 1, the best goes on"}');
CREATE TABLE experiments (
	experiment_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	request_id TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_reason TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	goal VARCHAR(16) NOT NULL, 
	unit TEXT NOT NULL, 
	create_time DOUBLE NOT NULL, 
	end_time DOUBLE, 
	counts TEXT NOT NULL, 
	resource_spent BIGINT NOT NULL, 
	resource_full BIGINT NOT NULL, 
	spec TEXT NOT NULL, 
	PRIMARY KEY (experiment_id)
)
 WITHOUT ROWID

;
INSERT INTO "experiments" VALUES(1,'done','89d9020bf0f3e76f9d40a23271964884','completed','the search has ended','error','minimize','epochs',1.79554675433025646208e+09,1.79554675567962312692e+09,'{"pending":0,"running":0,"paused":0,"completed":1,"stopped":3,"failed":0,"discarded":0,"cancelled":0}',18,36,'{"name":"done","entrypoint":"toy:train","metric":{"name":"error","goal":"minimize"},"unit":"epochs","hyperparameters":{"quality":{"when":{},"type":"float","low":0.0,"high":1.0,"log":false,"prior":null},"seconds_per_epoch":0.0},"forbidden":[],"searcher":{"max_trials":4,"max_resource":9,"divisor":3,"max_rungs":5,"max_concurrent_trials":null,"stop_once":false,"name":"asha"},"sampler":{"name":"random"},"resources":{"slots_per_trial":1,"labels":{}},"checkpoints":{"storage":"checkpoints","keep":"promotable","interval":null},"max_restarts":3,"max_workers_lost":3,"progress_timeout":null,"priority":0,"weight":1.0,"seed":1}');
INSERT INTO "experiments" VALUES(2,'toy','319186def18dbd829a17fc697bff51f9','active','','error','minimize','epochs',1.79554675613377380375e+09,NULL,'{"pending":0,"running":2,"paused":0,"completed":0,"stopped":0,"failed":0,"discarded":0,"cancelled":0}',12,108,'{"name":"toy","entrypoint":"toy:train","metric":{"name":"error","goal":"minimize"},"unit":"epochs","hyperparameters":{"quality":{"when":{},"type":"float","low":0.0,"high":1.0,"log":false,"prior":null},"seconds_per_epoch":0.1},"forbidden":[],"searcher":{"max_trials":12,"max_resource":9,"divisor":3,"max_rungs":5,"max_concurrent_trials":null,"stop_once":true,"name":"asha"},"sampler":{"name":"random"},"resources":{"slots_per_trial":1,"labels":{}},"checkpoints":{"storage":"checkpoints","keep":"promotable","interval":null},"max_restarts":3,"max_workers_lost":3,"progress_timeout":null,"priority":0,"weight":1.0,"seed":1}');
CREATE TABLE leases (
	experiment_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	token INTEGER NOT NULL, 
	session_id TEXT NOT NULL, 
	worker TEXT NOT NULL, 
	request_id TEXT NOT NULL, 
	slots INTEGER NOT NULL, 
	from_resource BIGINT NOT NULL, 
	target BIGINT NOT NULL, 
	decision VARCHAR(16) NOT NULL, 
	decision_sequence BIGINT NOT NULL, 
	start_time DOUBLE NOT NULL, 
	end_time DOUBLE, 
	outcome VARCHAR(16) NOT NULL, 
	error TEXT NOT NULL, 
	last_sequence BIGINT NOT NULL, 
	PRIMARY KEY (experiment_id, trial_id, token)
)
 WITHOUT ROWID

;
INSERT INTO "leases" VALUES(1,0,1,'909dfb43b98546089fa7030946e95e42','one','eb75e8806d28485089127e99997b42c5',1,0,3,'pause',3,1.79554675433077669147e+09,1.79554675504722118374e+09,'released','',5);
INSERT INTO "leases" VALUES(1,1,1,'909dfb43b98546089fa7030946e95e42','one','e2930f1d2c3149f3af15985d9e86e6e4',1,0,3,'pause',3,1.7955467543909237384e+09,1.7955467550161156654e+09,'released','',5);
INSERT INTO "leases" VALUES(1,2,1,'909dfb43b98546089fa7030946e95e42','one','4e28d7faf7ea4511af264fe7aacf23aa',1,0,9,'stop',9,1.7955467550115876198e+09,1.79554675567955183976e+09,'released','',11);
INSERT INTO "leases" VALUES(1,3,1,'909dfb43b98546089fa7030946e95e42','one','f777cfa9b1e44c61ba8237b3f2c58440',1,0,3,'pause',3,1.79554675503769898409e+09,1.795546755606711626e+09,'released','',5);
INSERT INTO "leases" VALUES(2,0,1,'909dfb43b98546089fa7030946e95e42','one','7046ff041bff4cb2ad0d32678a9f885c',1,0,9,'continue',3,1.79554675613394069673e+09,NULL,'','',3);
INSERT INTO "leases" VALUES(2,1,1,'909dfb43b98546089fa7030946e95e42','one','ee273a6b97294f48879e2f9e492dddee',1,0,9,'continue',3,1.7955467561413333416e+09,NULL,'','',3);
CREATE TABLE mastership (
	mastership_id INTEGER NOT NULL, 
	term BIGINT NOT NULL, 
	holder TEXT NOT NULL, 
	start_time DOUBLE NOT NULL, 
	PRIMARY KEY (mastership_id)
)
 WITHOUT ROWID

;
INSERT INTO "mastership" VALUES(1,1,'host-1',1795546748.2151);
CREATE TABLE reports (
	experiment_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	token INTEGER NOT NULL, 
	sequence BIGINT NOT NULL, 
	resource BIGINT NOT NULL, 
	metrics TEXT NOT NULL, 
	receive_time DOUBLE NOT NULL, 
	PRIMARY KEY (experiment_id, trial_id, token, sequence)
)
 WITHOUT ROWID

;
INSERT INTO "reports" VALUES(1,0,1,1,1,'{"error":1.195388682917}',1.79554675478334879873e+09);
INSERT INTO "reports" VALUES(1,0,1,2,2,'{"error":1.0287220162503332}',1.79554675481282043462e+09);
INSERT INTO "reports" VALUES(1,0,1,3,3,'{"error":0.945388682917}',1.79554675481711888311e+09);
INSERT INTO "reports" VALUES(1,1,1,1,1,'{"error":0.9831163600999999}',1.79554675485133790973e+09);
INSERT INTO "reports" VALUES(1,1,1,2,2,'{"error":0.8164496934333333}',1.79554675485511589048e+09);
INSERT INTO "reports" VALUES(1,1,1,3,3,'{"error":0.7331163600999999}',1.79554675485859918594e+09);
INSERT INTO "reports" VALUES(1,2,1,1,1,'{"error":0.5995260093065999}',1.79554675543227553369e+09);
INSERT INTO "reports" VALUES(1,2,1,2,2,'{"error":0.4328593426399333}',1.79554675543521165843e+09);
INSERT INTO "reports" VALUES(1,2,1,3,3,'{"error":0.3495260093066}',1.79554675544420599942e+09);
INSERT INTO "reports" VALUES(1,2,1,4,4,'{"error":0.2995260093066}',1.79554675545898985867e+09);
INSERT INTO "reports" VALUES(1,2,1,5,5,'{"error":0.2661926759732667}',1.79554675546810913085e+09);
INSERT INTO "reports" VALUES(1,2,1,6,6,'{"error":0.24238315216374284}',1.79554675547109174726e+09);
INSERT INTO "reports" VALUES(1,2,1,7,7,'{"error":0.2245260093066}',1.79554675547294974322e+09);
INSERT INTO "reports" VALUES(1,2,1,8,8,'{"error":0.2106371204177111}',1.7955467554823663235e+09);
INSERT INTO "reports" VALUES(1,2,1,9,9,'{"error":0.1995260093066}',1.79554675549061655993e+09);
INSERT INTO "reports" VALUES(1,3,1,1,1,'{"error":1.217302590213}',1.7955467554413542747e+09);
INSERT INTO "reports" VALUES(1,3,1,2,2,'{"error":1.0506359235463334}',1.79554675544268584246e+09);
INSERT INTO "reports" VALUES(1,3,1,3,3,'{"error":0.967302590213}',1.79554675544813823698e+09);
INSERT INTO "reports" VALUES(2,0,1,1,1,'{"error":1.195388682917}',1.79554675660874819755e+09);
INSERT INTO "reports" VALUES(2,0,1,2,2,'{"error":1.0287220162503332}',1.79554675671870398517e+09);
INSERT INTO "reports" VALUES(2,0,1,3,3,'{"error":0.945388682917}',1.79554675682082414628e+09);
INSERT INTO "reports" VALUES(2,0,1,4,4,'{"error":0.8953886829169999}',1.79554675693322896958e+09);
INSERT INTO "reports" VALUES(2,0,1,5,5,'{"error":0.8620553495836666}',1.79554675703573536878e+09);
INSERT INTO "reports" VALUES(2,0,1,6,6,'{"error":0.8382458257741427}',1.79554675714323210716e+09);
INSERT INTO "reports" VALUES(2,1,1,1,1,'{"error":0.9831163600999999}',1.79554675665181875227e+09);
INSERT INTO "reports" VALUES(2,1,1,2,2,'{"error":0.8164496934333333}',1.79554675676310968404e+09);
INSERT INTO "reports" VALUES(2,1,1,3,3,'{"error":0.7331163600999999}',1.79554675686526513103e+09);
INSERT INTO "reports" VALUES(2,1,1,4,4,'{"error":0.6831163601}',1.79554675697670626643e+09);
INSERT INTO "reports" VALUES(2,1,1,5,5,'{"error":0.6497830267666667}',1.79554675708411121365e+09);
INSERT INTO "reports" VALUES(2,1,1,6,6,'{"error":0.6259735029571428}',1.79554675718920207024e+09);
CREATE TABLE rung_results (
	experiment_id INTEGER NOT NULL, 
	bracket_id INTEGER NOT NULL, 
	rung_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	resource BIGINT NOT NULL, 
	metric DOUBLE, 
	promoted BOOLEAN NOT NULL, 
	enter_time DOUBLE NOT NULL, 
	PRIMARY KEY (experiment_id, bracket_id, rung_id, trial_id)
)
 WITHOUT ROWID

;
INSERT INTO "rung_results" VALUES(1,0,0,0,3,0.945388682917,0,1.79554675481711888311e+09);
INSERT INTO "rung_results" VALUES(1,0,0,1,3,7.33116360099999919697e-01,0,1.79554675485859918594e+09);
INSERT INTO "rung_results" VALUES(1,0,0,2,3,0.3495260093066,1,1.79554675544420599942e+09);
INSERT INTO "rung_results" VALUES(1,0,0,3,3,0.967302590213,0,1.79554675544813823698e+09);
INSERT INTO "rung_results" VALUES(1,0,1,2,9,0.1995260093066,0,1.79554675549061655993e+09);
INSERT INTO "rung_results" VALUES(2,0,0,0,1,1.195388682917,1,1.79554675660874819755e+09);
INSERT INTO "rung_results" VALUES(2,0,0,1,1,9.83116360099999919697e-01,1,1.79554675665181875227e+09);
INSERT INTO "rung_results" VALUES(2,0,1,0,3,0.945388682917,1,1.79554675682082414628e+09);
INSERT INTO "rung_results" VALUES(2,0,1,1,3,7.33116360099999919697e-01,1,1.79554675686526513103e+09);
CREATE TABLE rungs (
	experiment_id INTEGER NOT NULL, 
	bracket_id INTEGER NOT NULL, 
	rung_id INTEGER NOT NULL, 
	resource BIGINT NOT NULL, 
	entered INTEGER NOT NULL, 
	promoted INTEGER NOT NULL, 
	failed INTEGER NOT NULL, 
	best_metric DOUBLE, 
	PRIMARY KEY (experiment_id, bracket_id, rung_id)
)
 WITHOUT ROWID

;
INSERT INTO "rungs" VALUES(1,0,0,3,4,1,0,0.3495260093066);
INSERT INTO "rungs" VALUES(1,0,1,9,1,0,0,0.1995260093066);
INSERT INTO "rungs" VALUES(2,0,0,1,2,2,0,9.83116360099999919697e-01);
INSERT INTO "rungs" VALUES(2,0,1,3,2,2,0,7.33116360099999919697e-01);
INSERT INTO "rungs" VALUES(2,0,2,9,0,0,0,NULL);
CREATE TABLE trials (
	experiment_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_reason TEXT NOT NULL, 
	bracket_id INTEGER NOT NULL, 
	rung_id INTEGER NOT NULL, 
	resource BIGINT NOT NULL, 
	target BIGINT NOT NULL, 
	metric DOUBLE, 
	metric_resource BIGINT NOT NULL, 
	restarts INTEGER NOT NULL, 
	workers_lost INTEGER NOT NULL, 
	token INTEGER NOT NULL, 
	create_time DOUBLE NOT NULL, 
	end_time DOUBLE, 
	hparams TEXT NOT NULL, 
	PRIMARY KEY (experiment_id, trial_id)
)
 WITHOUT ROWID

;
INSERT INTO "trials" VALUES(1,0,'stopped','rank 1 of 1 at rung 0, none goes on yet; the search has ended',0,0,3,3,0.945388682917,3,0,0,1,1.79554675433077669147e+09,1.79554675567962312692e+09,'{"quality":0.695388682917,"seconds_per_epoch":0.0}');
INSERT INTO "trials" VALUES(1,1,'stopped','rank 1 of 2 at rung 0, none goes on yet; the search has ended',0,0,3,3,7.33116360099999919697e-01,3,0,0,1,1.7955467543909237384e+09,1.79554675567962312692e+09,'{"quality":0.4831163601,"seconds_per_epoch":0.0}');
INSERT INTO "trials" VALUES(1,2,'completed','trained to the last rung at 9: rank 1 of 1 at rung 1',0,1,9,9,0.1995260093066,9,0,0,1,1.7955467550115876198e+09,1.79554675549061655993e+09,'{"quality":0.0995260093066,"seconds_per_epoch":0.0}');
INSERT INTO "trials" VALUES(1,3,'stopped','rank 4 of 4 at rung 0, the best goes on; the search has ended',0,0,3,3,0.967302590213,3,0,0,1,1.79554675503769898409e+09,1.79554675567962312692e+09,'{"quality":0.717302590213,"seconds_per_epoch":0.0}');
INSERT INTO "trials" VALUES(2,0,'running','rank 1 of 1 at rung 1, the best goes on',0,2,3,9,0.945388682917,3,0,0,1,1.79554675613394069673e+09,NULL,'{"quality":0.695388682917,"seconds_per_epoch":0.1}');
INSERT INTO "trials" VALUES(2,1,'running','rank 1 of 2 at rung 1, the best goes on',0,2,3,9,7.33116360099999919697e-01,3,0,0,1,1.7955467561413333416e+09,NULL,'{"quality":0.4831163601,"seconds_per_epoch":0.1}');
CREATE TABLE workers (
	session_id TEXT NOT NULL, 
	worker TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	version TEXT NOT NULL, 
	slots INTEGER NOT NULL, 
	gpus TEXT NOT NULL, 
	labels TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	hello_time DOUBLE NOT NULL, 
	PRIMARY KEY (session_id)
)
 WITHOUT ROWID

;
INSERT INTO "workers" VALUES('909dfb43b98546089fa7030946e95e42','one','host',1,'0.1.0',2,'[]','{}','connected',1.79554675119050908085e+09);
CREATE UNIQUE INDEX uq_experiments_request ON experiments (request_id) WHERE request_id <> '';
CREATE INDEX ix_trials_state ON trials (experiment_id, state, trial_id);
CREATE INDEX ix_trials_lowest ON trials (experiment_id, state, metric, trial_id) WHERE metric IS NOT NULL;
CREATE INDEX ix_trials_highest ON trials (experiment_id, state, metric DESC, trial_id) WHERE metric IS NOT NULL;
CREATE UNIQUE INDEX uq_leases_held ON leases (experiment_id, trial_id) WHERE end_time IS NULL;
CREATE UNIQUE INDEX uq_leases_request ON leases (session_id, request_id) WHERE end_time IS NULL AND request_id <> '';
CREATE INDEX ix_checkpoints_uri ON checkpoints (uri);
CREATE INDEX ix_checkpoints_needed ON checkpoints (experiment_id) WHERE delete_time IS NULL;
CREATE INDEX ix_checkpoints_unneeded ON checkpoints (delete_time) WHERE delete_time IS NOT NULL AND NOT deleted;
CREATE INDEX ix_events_experiment ON events (experiment_id, event_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',28);
COMMIT;
