BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
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
INSERT INTO "brackets" VALUES(2,0,6,NULL,6);
INSERT INTO "brackets" VALUES(3,0,3,NULL,3);
INSERT INTO "brackets" VALUES(4,0,12,2,5);
INSERT INTO "brackets" VALUES(5,0,8,NULL,6);
INSERT INTO "brackets" VALUES(5,1,4,NULL,3);
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
INSERT INTO "checkpoints" VALUES(1,0,1,4,'checkpoints/e8d9a986a8c1e796/1/0/1-1-9c817949',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572702552789115909e+09,1.79572702558704471592e+09,1);
INSERT INTO "checkpoints" VALUES(1,0,1,5,'checkpoints/e8d9a986a8c1e796/1/0/1-3-54e2c906',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.79572702554508543014e+09,1.79572702558704471592e+09,1);
INSERT INTO "checkpoints" VALUES(1,1,1,4,'checkpoints/e8d9a986a8c1e796/1/1/1-1-786858e4',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.7957270255015027523e+09,1.79572702558704471592e+09,1);
INSERT INTO "checkpoints" VALUES(1,1,1,5,'checkpoints/e8d9a986a8c1e796/1/1/1-3-d1dd655c',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.7957270255308020115e+09,1.79572702558704471592e+09,1);
INSERT INTO "checkpoints" VALUES(1,2,1,10,'checkpoints/e8d9a986a8c1e796/1/2/1-1-8f6199d0',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572702556800746923e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(1,2,1,11,'checkpoints/e8d9a986a8c1e796/1/2/1-9-13c33774',9,13,'157c30b5f23c97da77275e36c2b634ec694725c570a0e4d2278cde485c12d726',1.79572702558288860318e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(1,3,1,4,'checkpoints/e8d9a986a8c1e796/1/3/1-1-e34980c3',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572702556800746923e+09,1.79572702558704471592e+09,1);
INSERT INTO "checkpoints" VALUES(1,3,1,5,'checkpoints/e8d9a986a8c1e796/1/3/1-3-2aecc2b3',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.79572702558126330377e+09,1.79572702558704471592e+09,1);
INSERT INTO "checkpoints" VALUES(2,0,1,10,'checkpoints/e8d9a986a8c1e796/2/0/1-1-52944b9e',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572702567794513701e+09,1.7957270259238662719e+09,1);
INSERT INTO "checkpoints" VALUES(2,0,1,11,'checkpoints/e8d9a986a8c1e796/2/0/1-9-19b33e53',9,13,'157c30b5f23c97da77275e36c2b634ec694725c570a0e4d2278cde485c12d726',1.7957270256981158257e+09,1.7957270259238662719e+09,1);
INSERT INTO "checkpoints" VALUES(2,1,1,6,'checkpoints/e8d9a986a8c1e796/2/1/1-1-26c7bf1f',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572702568626713752e+09,1.79572702571823740002e+09,1);
INSERT INTO "checkpoints" VALUES(2,1,1,11,'checkpoints/e8d9a986a8c1e796/2/1/1-6-668c57d0',6,13,'8b2e8697a1551491b49d54026290ca4dbda35bf849254c922a46af92e92ba8ac',1.79572702570548272133e+09,1.7957270259238662719e+09,1);
INSERT INTO "checkpoints" VALUES(2,1,1,12,'checkpoints/e8d9a986a8c1e796/2/1/1-9-0fc55d1d',9,13,'157c30b5f23c97da77275e36c2b634ec694725c570a0e4d2278cde485c12d726',1.79572702571823740002e+09,1.7957270259238662719e+09,1);
INSERT INTO "checkpoints" VALUES(2,2,1,6,'checkpoints/e8d9a986a8c1e796/2/2/1-1-bd57c576',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572702573977398873e+09,1.79572702576565289495e+09,1);
INSERT INTO "checkpoints" VALUES(2,2,1,17,'checkpoints/e8d9a986a8c1e796/2/2/1-9-24bfaf8b',9,13,'157c30b5f23c97da77275e36c2b634ec694725c570a0e4d2278cde485c12d726',1.79572702575649499894e+09,1.79572702579713797564e+09,1);
INSERT INTO "checkpoints" VALUES(2,2,1,23,'checkpoints/e8d9a986a8c1e796/2/2/1-18-6a64e53e',18,14,'c42c34cf1b19371891c0e07ef07f94a20c958bf4e43ff5a95b908f927234528b',1.79572702576565289495e+09,1.79572702581526780132e+09,1);
INSERT INTO "checkpoints" VALUES(2,2,1,31,'checkpoints/e8d9a986a8c1e796/2/2/1-21-2a4c1b0e',21,14,'b5353c3e2ddecf978003106d891b8be53503008b3e28e6f72b3d3d5c207356c9',1.79572702579713797564e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(2,2,1,32,'checkpoints/e8d9a986a8c1e796/2/2/1-27-02828f11',27,14,'0c67e19ecf710fa377f9d0548ac101e6b9150213b30defe66a70acebea460663',1.79572702581526780132e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(2,3,1,10,'checkpoints/e8d9a986a8c1e796/2/3/1-1-9eb3ea1f',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.7957270257857251167e+09,1.7957270259238662719e+09,1);
INSERT INTO "checkpoints" VALUES(2,3,1,11,'checkpoints/e8d9a986a8c1e796/2/3/1-9-5fcd92db',9,13,'157c30b5f23c97da77275e36c2b634ec694725c570a0e4d2278cde485c12d726',1.79572702581411957744e+09,1.7957270259238662719e+09,1);
INSERT INTO "checkpoints" VALUES(2,4,1,4,'checkpoints/e8d9a986a8c1e796/2/4/1-1-e46e1feb',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572702584502148629e+09,1.7957270258741419315e+09,1);
INSERT INTO "checkpoints" VALUES(2,4,1,10,'checkpoints/e8d9a986a8c1e796/2/4/1-4-78ab188d',4,13,'111869d5ad4c622c519c24862cf0cd1a3df54a2b543cdc09e0bee265aa858702',1.79572702585536551475e+09,1795727025.90504,1);
INSERT INTO "checkpoints" VALUES(2,4,1,16,'checkpoints/e8d9a986a8c1e796/2/4/1-9-c65511ef',9,13,'157c30b5f23c97da77275e36c2b634ec694725c570a0e4d2278cde485c12d726',1.7957270258741419315e+09,1.79572702591593909259e+09,1);
INSERT INTO "checkpoints" VALUES(2,4,1,31,'checkpoints/e8d9a986a8c1e796/2/4/1-19-e3a6cc39',19,14,'432066c9c155b958232921d64d587dc99bd7a2d90c9dcaf099aaf2a1d64b270d',1795727025.90504,NULL,0);
INSERT INTO "checkpoints" VALUES(2,4,1,32,'checkpoints/e8d9a986a8c1e796/2/4/1-27-720d60d9',27,14,'0c67e19ecf710fa377f9d0548ac101e6b9150213b30defe66a70acebea460663',1.79572702591593909259e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(2,5,1,4,'checkpoints/e8d9a986a8c1e796/2/5/1-1-7138add2',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572702585264515869e+09,1.79572702590097761157e+09,1);
INSERT INTO "checkpoints" VALUES(2,5,1,11,'checkpoints/e8d9a986a8c1e796/2/5/1-4-48d007c7',4,13,'111869d5ad4c622c519c24862cf0cd1a3df54a2b543cdc09e0bee265aa858702',1.7957270258741419315e+09,1.7957270259238662719e+09,1);
INSERT INTO "checkpoints" VALUES(2,5,1,12,'checkpoints/e8d9a986a8c1e796/2/5/1-9-1e807399',9,13,'157c30b5f23c97da77275e36c2b634ec694725c570a0e4d2278cde485c12d726',1.79572702590097761157e+09,1.7957270259238662719e+09,1);
INSERT INTO "checkpoints" VALUES(4,0,1,2,'checkpoints/e8d9a986a8c1e796/4/0/1-1-1df9a428',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572703728219413752e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(4,1,1,2,'checkpoints/e8d9a986a8c1e796/4/1/1-1-855bd75a',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572703733539056772e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(4,2,1,2,'checkpoints/e8d9a986a8c1e796/4/2/1-1-f977847a',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.7957270375683040619e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(4,2,1,4,'checkpoints/e8d9a986a8c1e796/4/2/1-2-f9e9980b',2,13,'6225042e3d83dd7b6ec2ec80c001a140f0eb5ecc59de709f5b794755a0f03b31',1.79572703779643964763e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(4,3,1,2,'checkpoints/e8d9a986a8c1e796/4/3/1-1-e9526ad3',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572703759943366049e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(4,4,1,2,'checkpoints/e8d9a986a8c1e796/4/4/1-1-cfcc5d53',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572703783559894561e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,0,1,2,'checkpoints/e8d9a986a8c1e796/5/0/1-1-069c02fe',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572703866443777087e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,1,1,2,'checkpoints/e8d9a986a8c1e796/5/1/1-1-a70adc2e',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572703871000623697e+09,1.79572704006248903274e+09,1);
INSERT INTO "checkpoints" VALUES(5,1,1,4,'checkpoints/e8d9a986a8c1e796/5/1/1-2-617f555b',2,13,'6225042e3d83dd7b6ec2ec80c001a140f0eb5ecc59de709f5b794755a0f03b31',1.79572703934888195992e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,1,1,6,'checkpoints/e8d9a986a8c1e796/5/1/1-3-abcdc181',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.79572704006248903274e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,2,1,2,'checkpoints/e8d9a986a8c1e796/5/2/1-1-ca561507',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572703951027870181e+09,1.79572704223255562782e+09,1);
INSERT INTO "checkpoints" VALUES(5,2,2,2,'checkpoints/e8d9a986a8c1e796/5/2/2-2-904f26cc',2,13,'6225042e3d83dd7b6ec2ec80c001a140f0eb5ecc59de709f5b794755a0f03b31',1.79572704151640772816e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,2,2,4,'checkpoints/e8d9a986a8c1e796/5/2/2-3-300d4ac1',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.79572704223255562782e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,4,1,2,'checkpoints/e8d9a986a8c1e796/5/4/1-1-ee7d0ea1',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.7957270393727107048e+09,1.79572704083917713169e+09,1);
INSERT INTO "checkpoints" VALUES(5,4,1,4,'checkpoints/e8d9a986a8c1e796/5/4/1-2-15b5eec6',2,13,'6225042e3d83dd7b6ec2ec80c001a140f0eb5ecc59de709f5b794755a0f03b31',1.79572704007505249976e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,4,1,6,'checkpoints/e8d9a986a8c1e796/5/4/1-3-6e263450',3,13,'ca66829555a1ea79db2b0b948c029e3f60a075e661e7a1344742fd1db402f6cf',1.79572704083917713169e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,6,1,2,'checkpoints/e8d9a986a8c1e796/5/6/1-1-8d879547',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.7957270408077805042e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,7,1,2,'checkpoints/e8d9a986a8c1e796/5/7/1-1-fa7a814f',1,13,'f63989d6c025fcecd72e0cce65d2c1739b2b689416f2eae883b76f54e00d8b24',1.79572704164126825329e+09,NULL,0);
INSERT INTO "checkpoints" VALUES(5,7,1,4,'checkpoints/e8d9a986a8c1e796/5/7/1-2-7ced6148',2,13,'6225042e3d83dd7b6ec2ec80c001a140f0eb5ecc59de709f5b794755a0f03b31',1.79572704233696556087e+09,NULL,0);
CREATE TABLE deletions (
	experiment_id INTEGER NOT NULL, 
	start_time DOUBLE NOT NULL, 
	PRIMARY KEY (experiment_id)
)
 WITHOUT ROWID

;
CREATE TABLE endings (
	experiment_id INTEGER NOT NULL, 
	PRIMARY KEY (experiment_id)
)
 WITHOUT ROWID

;
INSERT INTO "endings" VALUES(4);
CREATE TABLE events (
	event_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	experiment_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	create_time DOUBLE NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	data TEXT NOT NULL
);
INSERT INTO "events" VALUES(1,1,NULL,1.79572702516852641106e+09,'experiment_created','{"name":"ended","rules":2}');
INSERT INTO "events" VALUES(2,1,0,1.79572702519313263892e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(3,1,0,1.79572702519313263892e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(4,1,1,1.79572702521803188326e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(5,1,1,1.79572702521803188326e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(6,1,1,1.7957270255015027523e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":3,"metric":0.7331163600999999,"target":null,"reason":"rank 1 of 1 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(7,1,2,1.79572702550970697403e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(8,1,2,1.79572702550970697403e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(9,1,0,1.79572702551345968246e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":3,"metric":0.945388682917,"target":null,"reason":"rank 2 of 2 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(10,1,3,1.79572702551750922202e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(11,1,3,1.79572702551750922202e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(12,1,1,1.79572702553717327119e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(13,1,0,1.79572702554883646968e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(14,1,2,1.79572702555269718164e+09,'decision','{"action":"continue","bracket":0,"rung":1,"resource":3,"metric":0.3495260093066,"target":9,"reason":"rank 1 of 3 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(15,1,2,1.79572702556398797039e+09,'decision','{"action":"stop","bracket":0,"rung":1,"resource":9,"metric":0.1995260093066,"target":null,"reason":"trained to the last rung at 9: rank 1 of 1 at rung 1"}');
INSERT INTO "events" VALUES(16,1,3,1.79572702556800746923e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":3,"metric":0.967302590213,"target":null,"reason":"rank 4 of 4 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(17,1,2,1.79572702558568572999e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(18,1,3,1.79572702558704471592e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(19,1,NULL,1.79572702558704471592e+09,'experiment_completed','{"reason":"the search has ended"}');
INSERT INTO "events" VALUES(20,2,NULL,1.79572702562233924863e+09,'experiment_created','{"name":"thinned","rules":2}');
INSERT INTO "events" VALUES(21,2,0,1.79572702564419293402e+09,'trial_created','{"bracket":0,"target":9}');
INSERT INTO "events" VALUES(22,2,0,1.79572702564419293402e+09,'assigned','{"token":1,"worker":"one","from":0,"target":9}');
INSERT INTO "events" VALUES(23,2,1,1.79572702564981198309e+09,'trial_created','{"bracket":0,"target":9}');
INSERT INTO "events" VALUES(24,2,1,1.79572702564981198309e+09,'assigned','{"token":1,"worker":"one","from":0,"target":9}');
INSERT INTO "events" VALUES(25,2,0,1.79572702567225575445e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":9,"metric":0.7953886829169999,"target":null,"reason":"rank 1 of 1 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(26,2,2,1.79572702567572188374e+09,'trial_created','{"bracket":0,"target":9}');
INSERT INTO "events" VALUES(27,2,2,1.79572702567572188374e+09,'assigned','{"token":1,"worker":"one","from":0,"target":9}');
INSERT INTO "events" VALUES(28,2,1,1.79572702570175027846e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":9,"metric":0.5831163601,"target":null,"reason":"rank 1 of 2 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(29,2,0,1.79572702570375442509e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(30,2,3,1.79572702570548272133e+09,'trial_created','{"bracket":0,"target":9}');
INSERT INTO "events" VALUES(31,2,3,1.79572702570548272133e+09,'assigned','{"token":1,"worker":"one","from":0,"target":9}');
INSERT INTO "events" VALUES(32,2,1,1.79572702572883915895e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(33,2,2,1.79572702574154090876e+09,'decision','{"action":"continue","bracket":0,"rung":1,"resource":9,"metric":0.1995260093066,"target":27,"reason":"rank 1 of 3 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(34,2,2,1.79572702577787280081e+09,'decision','{"action":"stop","bracket":0,"rung":1,"resource":27,"metric":0.1352402950208857,"target":null,"reason":"trained to the last rung at 27: rank 1 of 1 at rung 1"}');
INSERT INTO "events" VALUES(35,2,3,1.79572702578027129172e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":9,"metric":0.817302590213,"target":null,"reason":"rank 4 of 4 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(36,2,4,1.79572702578197884561e+09,'trial_created','{"bracket":0,"target":9}');
INSERT INTO "events" VALUES(37,2,4,1.79572702578197884561e+09,'assigned','{"token":1,"worker":"one","from":0,"target":9}');
INSERT INTO "events" VALUES(38,2,5,1.7957270257857251167e+09,'trial_created','{"bracket":0,"target":9}');
INSERT INTO "events" VALUES(39,2,5,1.7957270257857251167e+09,'assigned','{"token":1,"worker":"one","from":0,"target":9}');
INSERT INTO "events" VALUES(40,2,3,1.79572702581796550752e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(41,2,2,1.7957270258193645477e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(42,2,4,1.79572702585536551475e+09,'decision','{"action":"continue","bracket":0,"rung":1,"resource":9,"metric":0.11595224217790001,"target":27,"reason":"rank 1 of 5 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(43,2,5,1.79572702586781334874e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":9,"metric":0.35285536715300003,"target":null,"reason":"rank 3 of 6 at rung 0, the top 2 go on"}');
INSERT INTO "events" VALUES(44,2,4,1.79572702590097761157e+09,'decision','{"action":"stop","bracket":0,"rung":1,"resource":27,"metric":0.05166652789218571,"target":null,"reason":"trained to the last rung at 27: rank 1 of 2 at rung 1"}');
INSERT INTO "events" VALUES(45,2,5,1795727025.90504,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(46,2,4,1.7957270259238662719e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(47,2,NULL,1.7957270259238662719e+09,'experiment_completed','{"reason":"the search has ended"}');
INSERT INTO "events" VALUES(48,2,NULL,1.795727025985691309e+09,'thinning','{"keep_every":5,"reason":"a person asked for it"}');
INSERT INTO "events" VALUES(49,2,NULL,1.79572702602399945264e+09,'thinned','{"keep_every":5,"reports_dropped":70}');
INSERT INTO "events" VALUES(50,3,NULL,1.79572702607412958142e+09,'experiment_created','{"name":"failing","rules":2}');
INSERT INTO "events" VALUES(51,3,0,1.79572702608786320685e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(52,3,0,1.79572702608786320685e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(53,3,1,1.79572702611766648293e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(54,3,1,1.79572702611766648293e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(55,3,1,1.79572702744126319889e+09,'lease_ended','{"token":1,"worker":"one","outcome":"failed","error":"exited with code 1: RuntimeError: no luck with quality 0.483 (toy.py, line 41, in fail)\nTraceback (most recent call last):\n  File \"/srv/search/rungmaster/worker/forked.py\", line 84, in as_interpreter\n    run()\n  File \"/srv/search/rungmaster/worker/forked.py\", line 67, in <lambda>\n    return as_interpreter(lambda: run_entrypoint(entrypoint))\n                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/srv/search/rungmaster/worker/child_main.py\", line 78, in run_entrypoint\n    train(trial)\n  File \"/srv/search/toy.py\", line 41, in fail\n    raise RuntimeError(f\"no luck with quality {trial.hparams[''quality'']:.3f}\")\nRuntimeError: no luck with quality 0.483"}');
INSERT INTO "events" VALUES(56,3,1,1.79572702744126319889e+09,'assigned','{"token":2,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(57,3,0,1.79572702744742226594e+09,'lease_ended','{"token":1,"worker":"one","outcome":"failed","error":"exited with code 1: RuntimeError: no luck with quality 0.695 (toy.py, line 41, in fail)\nTraceback (most recent call last):\n  File \"/srv/search/rungmaster/worker/forked.py\", line 84, in as_interpreter\n    run()\n  File \"/srv/search/rungmaster/worker/forked.py\", line 67, in <lambda>\n    return as_interpreter(lambda: run_entrypoint(entrypoint))\n                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/srv/search/rungmaster/worker/child_main.py\", line 78, in run_entrypoint\n    train(trial)\n  File \"/srv/search/toy.py\", line 41, in fail\n    raise RuntimeError(f\"no luck with quality {trial.hparams[''quality'']:.3f}\")\nRuntimeError: no luck with quality 0.695"}');
INSERT INTO "events" VALUES(58,3,0,1.79572702745274877548e+09,'assigned','{"token":2,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(59,3,1,1.79572702847800707822e+09,'lease_ended','{"token":2,"worker":"one","outcome":"failed","error":"exited with code 1: RuntimeError: no luck with quality 0.483 (toy.py, line 41, in fail)\nTraceback (most recent call last):\n  File \"/srv/search/rungmaster/worker/forked.py\", line 84, in as_interpreter\n    run()\n  File \"/srv/search/rungmaster/worker/forked.py\", line 67, in <lambda>\n    return as_interpreter(lambda: run_entrypoint(entrypoint))\n                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/srv/search/rungmaster/worker/child_main.py\", line 78, in run_entrypoint\n    train(trial)\n  File \"/srv/search/toy.py\", line 41, in fail\n    raise RuntimeError(f\"no luck with quality {trial.hparams[''quality'']:.3f}\")\nRuntimeError: no luck with quality 0.483"}');
INSERT INTO "events" VALUES(60,3,1,1.79572702847800707822e+09,'trial_failed','{"reason":"failed 2 times, the last time with: exited with code 1: RuntimeError: no luck with quality 0.483 (toy.py, line 41, in fail)"}');
INSERT INTO "events" VALUES(61,3,2,1.79572702847800707822e+09,'trial_created','{"bracket":0,"target":3}');
INSERT INTO "events" VALUES(62,3,2,1.79572702847800707822e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(63,3,0,1.79572702848919439318e+09,'lease_ended','{"token":2,"worker":"one","outcome":"failed","error":"exited with code 1: RuntimeError: no luck with quality 0.695 (toy.py, line 41, in fail)\nTraceback (most recent call last):\n  File \"/srv/search/rungmaster/worker/forked.py\", line 84, in as_interpreter\n    run()\n  File \"/srv/search/rungmaster/worker/forked.py\", line 67, in <lambda>\n    return as_interpreter(lambda: run_entrypoint(entrypoint))\n                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/srv/search/rungmaster/worker/child_main.py\", line 78, in run_entrypoint\n    train(trial)\n  File \"/srv/search/toy.py\", line 41, in fail\n    raise RuntimeError(f\"no luck with quality {trial.hparams[''quality'']:.3f}\")\nRuntimeError: no luck with quality 0.695"}');
INSERT INTO "events" VALUES(64,3,0,1.79572702848919439318e+09,'trial_failed','{"reason":"failed 2 times, the last time with: exited with code 1: RuntimeError: no luck with quality 0.695 (toy.py, line 41, in fail)"}');
INSERT INTO "events" VALUES(65,3,2,1.79572702950576496127e+09,'lease_ended','{"token":1,"worker":"one","outcome":"failed","error":"exited with code 1: RuntimeError: no luck with quality 0.100 (toy.py, line 41, in fail)\nTraceback (most recent call last):\n  File \"/srv/search/rungmaster/worker/forked.py\", line 84, in as_interpreter\n    run()\n  File \"/srv/search/rungmaster/worker/forked.py\", line 67, in <lambda>\n    return as_interpreter(lambda: run_entrypoint(entrypoint))\n                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/srv/search/rungmaster/worker/child_main.py\", line 78, in run_entrypoint\n    train(trial)\n  File \"/srv/search/toy.py\", line 41, in fail\n    raise RuntimeError(f\"no luck with quality {trial.hparams[''quality'']:.3f}\")\nRuntimeError: no luck with quality 0.100"}');
INSERT INTO "events" VALUES(66,3,2,1.79572702950576496127e+09,'assigned','{"token":2,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(67,3,2,1.79572703053079438207e+09,'lease_ended','{"token":2,"worker":"one","outcome":"failed","error":"exited with code 1: RuntimeError: no luck with quality 0.100 (toy.py, line 41, in fail)\nTraceback (most recent call last):\n  File \"/srv/search/rungmaster/worker/forked.py\", line 84, in as_interpreter\n    run()\n  File \"/srv/search/rungmaster/worker/forked.py\", line 67, in <lambda>\n    return as_interpreter(lambda: run_entrypoint(entrypoint))\n                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^\n  File \"/srv/search/rungmaster/worker/child_main.py\", line 78, in run_entrypoint\n    train(trial)\n  File \"/srv/search/toy.py\", line 41, in fail\n    raise RuntimeError(f\"no luck with quality {trial.hparams[''quality'']:.3f}\")\nRuntimeError: no luck with quality 0.100"}');
INSERT INTO "events" VALUES(68,3,2,1.79572703053079438207e+09,'trial_failed','{"reason":"failed 2 times, the last time with: exited with code 1: RuntimeError: no luck with quality 0.100 (toy.py, line 41, in fail)"}');
INSERT INTO "events" VALUES(69,3,NULL,1.79572703053079438207e+09,'experiment_failed','{"reason":"every trial failed; the last error: exited with code 1: RuntimeError: no luck with quality 0.100 (toy.py, line 41, in fail)"}');
INSERT INTO "events" VALUES(70,4,NULL,1.79572703698660421367e+09,'experiment_created','{"name":"cancelled","rules":2}');
INSERT INTO "events" VALUES(71,4,0,1.7957270370038945675e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(72,4,0,1.7957270370038945675e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(73,4,1,1.79572703701650333409e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(74,4,1,1.79572703701650333409e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(75,4,0,1.79572703723582935333e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":1,"metric":1.195388682917,"target":null,"reason":"rank 1 of 1 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(76,4,1,1.79572703724625086789e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":1,"metric":0.9831163600999999,"target":null,"reason":"rank 1 of 2 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(77,4,2,1.79572703725788807875e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(78,4,2,1.79572703725788807875e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(79,4,3,1.79572703727355670929e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(80,4,3,1.79572703727355670929e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(81,4,0,1.79572703729795956611e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(82,4,1,1.79572703734162664418e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(83,4,2,1.79572703750985598566e+09,'decision','{"action":"continue","bracket":0,"rung":1,"resource":1,"metric":0.5995260093065999,"target":3,"reason":"rank 1 of 3 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(84,4,3,1.79572703755021882057e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":1,"metric":1.217302590213,"target":null,"reason":"rank 4 of 4 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(85,4,4,1.79572703756328654282e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(86,4,4,1.79572703756328654282e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(87,4,NULL,1.79572703759943366049e+09,'experiment_paused','{"reason":"paused by a person"}');
INSERT INTO "events" VALUES(88,4,3,1.79572703760600042343e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(89,5,NULL,1.79572703764619469638e+09,'experiment_created','{"name":"running","rules":2}');
INSERT INTO "events" VALUES(90,4,2,1.79572703779643964763e+09,'lease_ended','{"token":1,"worker":"one","outcome":"given_back"}');
INSERT INTO "events" VALUES(91,5,0,1.79572703779643964763e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(92,5,0,1.79572703779643964763e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(93,4,4,1795727037.80535,'decision','{"action":"continue","bracket":0,"rung":1,"resource":1,"metric":0.5159522421779,"target":3,"reason":"rank 1 of 5 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(94,5,1,1795727037.80535,'trial_created','{"bracket":1,"target":3}');
INSERT INTO "events" VALUES(95,5,1,1795727037.80535,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(96,4,4,1795727037.84011,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(97,5,2,1.79572703825048232079e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(98,5,2,1.79572703825048232079e+09,'assigned','{"token":1,"worker":"two","from":0,"target":1}');
INSERT INTO "events" VALUES(99,5,3,1.79572703829208970074e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(100,5,3,1.79572703829208970074e+09,'assigned','{"token":1,"worker":"two","from":0,"target":1}');
INSERT INTO "events" VALUES(101,5,0,1.79572703853427076336e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":1,"metric":1.195388682917,"target":null,"reason":"rank 1 of 1 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(102,5,4,1795727038.54012,'trial_created','{"bracket":1,"target":3}');
INSERT INTO "events" VALUES(103,5,4,1795727038.54012,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(104,5,0,1.79572703870803856854e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(105,5,2,1.79572703948487210276e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":1,"metric":0.5995260093065999,"target":null,"reason":"rank 1 of 2 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(106,5,5,1.79572703948792886737e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(107,5,5,1.79572703948792886737e+09,'assigned','{"token":1,"worker":"two","from":0,"target":1}');
INSERT INTO "events" VALUES(108,5,2,1.79572703951236629484e+09,'lease_ended','{"token":1,"worker":"two","outcome":"released"}');
INSERT INTO "events" VALUES(109,5,1,1.79572704004459094999e+09,'decision','{"action":"pause","bracket":1,"rung":0,"resource":3,"metric":0.7331163600999999,"target":null,"reason":"rank 1 of 1 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(110,5,6,1.79572704004722309115e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(111,5,6,1.79572704004722309115e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(112,5,1,1.79572704006601810457e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(113,5,6,1.7957270407637012005e+09,'decision','{"action":"pause","bracket":0,"rung":0,"resource":1,"metric":1.297817813217,"target":null,"reason":"rank 3 of 3 at rung 0, the best goes on"}');
INSERT INTO "events" VALUES(114,5,4,1.79572704076687669752e+09,'decision','{"action":"pause","bracket":1,"rung":0,"resource":3,"metric":0.2659522421779,"target":null,"reason":"rank 1 of 2 at rung 0, none goes on yet"}');
INSERT INTO "events" VALUES(115,5,2,1.7957270407696182728e+09,'promoted','{"rung":1,"target":3}');
INSERT INTO "events" VALUES(116,5,2,1.7957270407696182728e+09,'assigned','{"token":2,"worker":"one","from":1,"target":3}');
INSERT INTO "events" VALUES(117,5,7,1.79572704079118514054e+09,'trial_created','{"bracket":1,"target":3}');
INSERT INTO "events" VALUES(118,5,7,1.79572704079118514054e+09,'assigned','{"token":1,"worker":"one","from":0,"target":3}');
INSERT INTO "events" VALUES(119,5,6,1.79572704081698012357e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(120,5,4,1.79572704085091209408e+09,'lease_ended','{"token":1,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(121,5,2,1.79572704221748304367e+09,'decision','{"action":"pause","bracket":0,"rung":1,"resource":3,"metric":0.3495260093066,"target":null,"reason":"rank 1 of 1 at rung 1, none goes on yet"}');
INSERT INTO "events" VALUES(122,5,8,1.79572704222023105625e+09,'trial_created','{"bracket":0,"target":1}');
INSERT INTO "events" VALUES(123,5,8,1.79572704222023105625e+09,'assigned','{"token":1,"worker":"one","from":0,"target":1}');
INSERT INTO "events" VALUES(124,5,2,1.79572704223892259597e+09,'lease_ended','{"token":2,"worker":"one","outcome":"released"}');
INSERT INTO "events" VALUES(125,5,3,1.79572704276560878751e+09,'lease_ended','{"token":1,"worker":"two","outcome":"expired"}');
INSERT INTO "events" VALUES(126,5,5,1.79572704276560878751e+09,'lease_ended','{"token":1,"worker":"two","outcome":"expired"}');
INSERT INTO "events" VALUES(127,4,NULL,1.79572704279171276096e+09,'experiment_cancelled','{"reason":"cancelled by a person"}');
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
	spec TEXT NOT NULL, best_by VARCHAR(16) DEFAULT 'any' NOT NULL, draw_rules INTEGER DEFAULT '1' NOT NULL, priority INTEGER DEFAULT '0' NOT NULL, weight DOUBLE DEFAULT '1' NOT NULL, max_concurrent_trials INTEGER, owner TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (experiment_id)
)
 WITHOUT ROWID

;
INSERT INTO "experiments" VALUES(1,'ended','ended','completed','the search has ended','error','minimize','epochs',1.79572702516852641106e+09,1.79572702558704471592e+09,'{"pending":0,"running":0,"paused":0,"completed":1,"stopped":3,"failed":0,"discarded":0,"cancelled":0}',18,36,'{"name":"ended","entrypoint":"toy:train","metric":{"name":"error","goal":"minimize","best":"any"},"unit":"epochs","hyperparameters":{"quality":{"when":{},"type":"float","low":0.0,"high":1.0,"log":false,"prior":null},"seconds_per_epoch":0.0,"width":{"when":{},"type":"categorical","choices":[16,32,64],"weights":null}},"forbidden":[],"searcher":{"max_trials":4,"max_resource":9,"divisor":3,"max_rungs":5,"max_concurrent_trials":null,"stop_once":false,"name":"asha"},"sampler":{"name":"random"},"resources":{"slots_per_trial":1,"labels":{}},"checkpoints":{"storage":"checkpoints","keep":"promotable","interval":0},"max_restarts":3,"fail_fast":5,"max_workers_lost":3,"progress_timeout":null,"priority":0,"weight":1.0,"seed":1}','any',3,0,1.0,NULL,'root');
INSERT INTO "experiments" VALUES(2,'thinned','483cc761f8568a5566311e684a878aa9','completed','the search has ended','error','minimize','epochs',1.79572702562233924863e+09,1.7957270259238662719e+09,'{"pending":0,"running":0,"paused":0,"completed":2,"stopped":4,"failed":0,"discarded":0,"cancelled":0}',90,162,'{"name":"thinned","entrypoint":"toy:train","metric":{"name":"error","goal":"minimize","best":"any"},"unit":"epochs","hyperparameters":{"quality":{"when":{},"type":"float","low":0.0,"high":1.0,"log":false,"prior":null},"seconds_per_epoch":0.0,"width":{"when":{},"type":"categorical","choices":[16,32,64],"weights":null}},"forbidden":[],"searcher":{"max_trials":6,"max_resource":27,"divisor":3,"max_rungs":5,"max_concurrent_trials":null,"stop_once":false,"name":"asha"},"sampler":{"name":"random"},"resources":{"slots_per_trial":1,"labels":{}},"checkpoints":{"storage":"checkpoints","keep":"promotable","interval":0},"max_restarts":3,"fail_fast":5,"max_workers_lost":3,"progress_timeout":null,"priority":0,"weight":1.0,"seed":1}','any',3,0,1.0,NULL,'root');
INSERT INTO "experiments" VALUES(3,'failing','f67d4bd5b6760a22300d8d0063f1e9f4','failed','every trial failed; the last error: exited with code 1: RuntimeError: no luck with quality 0.100 (toy.py, line 41, in fail)','error','minimize','epochs',1.79572702607412958142e+09,1.79572703053079438207e+09,'{"pending":0,"running":0,"paused":0,"completed":0,"stopped":0,"failed":3,"discarded":0,"cancelled":0}',0,27,'{"name":"failing","entrypoint":"toy:fail","metric":{"name":"error","goal":"minimize","best":"any"},"unit":"epochs","hyperparameters":{"quality":{"when":{},"type":"float","low":0.0,"high":1.0,"log":false,"prior":null},"seconds_per_epoch":0.0,"width":{"when":{},"type":"categorical","choices":[16,32,64],"weights":null}},"forbidden":[],"searcher":{"max_trials":3,"max_resource":9,"divisor":3,"max_rungs":5,"max_concurrent_trials":null,"stop_once":false,"name":"asha"},"sampler":{"name":"random"},"resources":{"slots_per_trial":1,"labels":{}},"checkpoints":{"storage":"checkpoints","keep":"promotable","interval":0},"max_restarts":1,"fail_fast":0,"max_workers_lost":3,"progress_timeout":null,"priority":0,"weight":1.0,"seed":1}','any',3,0,1.0,NULL,'root');
INSERT INTO "experiments" VALUES(4,'cancelled','a7595fc565b4b2591dcbc90341617fcf','cancelled','cancelled by a person','error','minimize','epochs',1.79572703698660421367e+09,1.79572704279171276096e+09,'{"pending":2,"running":0,"paused":1,"completed":0,"stopped":0,"failed":0,"discarded":0,"cancelled":2}',6,108,'{"name":"cancelled","entrypoint":"toy:train","metric":{"name":"error","goal":"minimize","best":"any"},"unit":"epochs","hyperparameters":{"quality":{"when":{},"type":"float","low":0.0,"high":1.0,"log":false,"prior":null},"seconds_per_epoch":0.2,"width":{"when":{},"type":"categorical","choices":[16,32,64],"weights":null}},"forbidden":[],"searcher":{"max_trials":12,"max_resource":9,"divisor":3,"max_rungs":5,"max_concurrent_trials":2,"stop_once":false,"name":"asha"},"sampler":{"name":"random"},"resources":{"slots_per_trial":1,"labels":{}},"checkpoints":{"storage":"checkpoints","keep":"promotable","interval":0},"max_restarts":3,"fail_fast":5,"max_workers_lost":3,"progress_timeout":null,"priority":0,"weight":1.0,"seed":1}','any',3,0,1.0,2,'root');
INSERT INTO "experiments" VALUES(5,'running','ff782035340d5c45d855f54c745b96a4','active','','error','minimize','epochs',1.79572703764619469638e+09,NULL,'{"pending":2,"running":2,"paused":5,"completed":0,"stopped":0,"failed":0,"discarded":0,"cancelled":0}',13,108,'{"name":"running","entrypoint":"toy:train","metric":{"name":"error","goal":"minimize","best":"last"},"unit":"epochs","hyperparameters":{"quality":{"when":{},"type":"float","low":0.0,"high":1.0,"log":false,"prior":null},"seconds_per_epoch":0.7,"width":{"when":{},"type":"categorical","choices":[16,32,64],"weights":null}},"forbidden":[],"searcher":{"max_trials":12,"max_resource":9,"divisor":3,"max_rungs":5,"max_concurrent_trials":null,"stop_once":false,"name":"adaptive_asha","mode":"standard","bracket_rungs":null},"sampler":{"name":"random"},"resources":{"slots_per_trial":1,"labels":{}},"checkpoints":{"storage":"checkpoints","keep":"promotable","interval":0},"max_restarts":3,"fail_fast":5,"max_workers_lost":3,"progress_timeout":null,"priority":2,"weight":1.0,"seed":1}','last',3,2,1.0,NULL,'root');
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
INSERT INTO "leases" VALUES(1,0,1,'3dd278211ff54bb3aa094215e472f4d6','one','dabd30b321ae4d5f9ce6a81894d28979',1,0,3,'pause',3,1.79572702519313263892e+09,1.79572702554883646968e+09,'released','',6);
INSERT INTO "leases" VALUES(1,1,1,'3dd278211ff54bb3aa094215e472f4d6','one','0110ef8767b34a6ba3a098ed4de5da97',1,0,3,'pause',3,1.79572702521803188326e+09,1.79572702553717327119e+09,'released','',6);
INSERT INTO "leases" VALUES(1,2,1,'3dd278211ff54bb3aa094215e472f4d6','one','868a8528f25848c1a16ad977248997c3',1,0,9,'stop',9,1.79572702550970697403e+09,1.79572702558568572999e+09,'released','',12);
INSERT INTO "leases" VALUES(1,3,1,'3dd278211ff54bb3aa094215e472f4d6','one','70533d56aa9542e996e1c0655f7a852b',1,0,3,'pause',3,1.79572702551750922202e+09,1.79572702558704471592e+09,'released','',6);
INSERT INTO "leases" VALUES(2,0,1,'3dd278211ff54bb3aa094215e472f4d6','one','2ea0074041334272ab7b403f68a23fa7',1,0,9,'pause',9,1.79572702564419293402e+09,1.79572702570375442509e+09,'released','',12);
INSERT INTO "leases" VALUES(2,1,1,'3dd278211ff54bb3aa094215e472f4d6','one','b4604f8339204dc7bff685ab5c3af362',1,0,9,'pause',10,1.79572702564981198309e+09,1.79572702572883915895e+09,'released','',13);
INSERT INTO "leases" VALUES(2,2,1,'3dd278211ff54bb3aa094215e472f4d6','one','96d76b80c71e42beaef9fdd402d3581e',1,0,27,'stop',30,1.79572702567572188374e+09,1.7957270258193645477e+09,'released','',33);
INSERT INTO "leases" VALUES(2,3,1,'3dd278211ff54bb3aa094215e472f4d6','one','2ba6ea8e973b48c6bf744ab924b8a146',1,0,9,'pause',9,1.79572702570548272133e+09,1.79572702581796550752e+09,'released','',12);
INSERT INTO "leases" VALUES(2,4,1,'3dd278211ff54bb3aa094215e472f4d6','one','39b4f12e745040248dec92bebae9a1d4',1,0,27,'stop',30,1.79572702578197884561e+09,1.7957270259238662719e+09,'released','',33);
INSERT INTO "leases" VALUES(2,5,1,'3dd278211ff54bb3aa094215e472f4d6','one','c9da0bd52c88418cae0d729077de8daa',1,0,9,'pause',10,1.7957270257857251167e+09,1795727025.90504,'released','',13);
INSERT INTO "leases" VALUES(3,0,1,'3dd278211ff54bb3aa094215e472f4d6','one','6348ff74e55544e8b02fc4c93c60e326',1,0,3,'',0,1.79572702608786320685e+09,1.79572702744742226594e+09,'failed','exited with code 1: RuntimeError: no luck with quality 0.695 (toy.py, line 41, in fail)
Traceback (most recent call last):
  File "/srv/search/rungmaster/worker/forked.py", line 84, in as_interpreter
    run()
  File "/srv/search/rungmaster/worker/forked.py", line 67, in <lambda>
    return as_interpreter(lambda: run_entrypoint(entrypoint))
                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/search/rungmaster/worker/child_main.py", line 78, in run_entrypoint
    train(trial)
  File "/srv/search/toy.py", line 41, in fail
    raise RuntimeError(f"no luck with quality {trial.hparams[''quality'']:.3f}")
RuntimeError: no luck with quality 0.695',1);
INSERT INTO "leases" VALUES(3,0,2,'3dd278211ff54bb3aa094215e472f4d6','one','c03985356c8c421199c9a96dd3b0018f',1,0,3,'',0,1.79572702745274877548e+09,1.79572702848919439318e+09,'failed','exited with code 1: RuntimeError: no luck with quality 0.695 (toy.py, line 41, in fail)
Traceback (most recent call last):
  File "/srv/search/rungmaster/worker/forked.py", line 84, in as_interpreter
    run()
  File "/srv/search/rungmaster/worker/forked.py", line 67, in <lambda>
    return as_interpreter(lambda: run_entrypoint(entrypoint))
                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/search/rungmaster/worker/child_main.py", line 78, in run_entrypoint
    train(trial)
  File "/srv/search/toy.py", line 41, in fail
    raise RuntimeError(f"no luck with quality {trial.hparams[''quality'']:.3f}")
RuntimeError: no luck with quality 0.695',1);
INSERT INTO "leases" VALUES(3,1,1,'3dd278211ff54bb3aa094215e472f4d6','one','fac021c0bdf5473086e3a90fe9356d09',1,0,3,'',0,1.79572702611766648293e+09,1.79572702744126319889e+09,'failed','exited with code 1: RuntimeError: no luck with quality 0.483 (toy.py, line 41, in fail)
Traceback (most recent call last):
  File "/srv/search/rungmaster/worker/forked.py", line 84, in as_interpreter
    run()
  File "/srv/search/rungmaster/worker/forked.py", line 67, in <lambda>
    return as_interpreter(lambda: run_entrypoint(entrypoint))
                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/search/rungmaster/worker/child_main.py", line 78, in run_entrypoint
    train(trial)
  File "/srv/search/toy.py", line 41, in fail
    raise RuntimeError(f"no luck with quality {trial.hparams[''quality'']:.3f}")
RuntimeError: no luck with quality 0.483',1);
INSERT INTO "leases" VALUES(3,1,2,'3dd278211ff54bb3aa094215e472f4d6','one','19fbdd89afd94081ba567e98d3c154e9',1,0,3,'',0,1.79572702744126319889e+09,1.79572702847800707822e+09,'failed','exited with code 1: RuntimeError: no luck with quality 0.483 (toy.py, line 41, in fail)
Traceback (most recent call last):
  File "/srv/search/rungmaster/worker/forked.py", line 84, in as_interpreter
    run()
  File "/srv/search/rungmaster/worker/forked.py", line 67, in <lambda>
    return as_interpreter(lambda: run_entrypoint(entrypoint))
                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/search/rungmaster/worker/child_main.py", line 78, in run_entrypoint
    train(trial)
  File "/srv/search/toy.py", line 41, in fail
    raise RuntimeError(f"no luck with quality {trial.hparams[''quality'']:.3f}")
RuntimeError: no luck with quality 0.483',1);
INSERT INTO "leases" VALUES(3,2,1,'3dd278211ff54bb3aa094215e472f4d6','one','722ae2f20e4f4a1b852b3aadc162a4d3',1,0,3,'',0,1.79572702847800707822e+09,1.79572702950576496127e+09,'failed','exited with code 1: RuntimeError: no luck with quality 0.100 (toy.py, line 41, in fail)
Traceback (most recent call last):
  File "/srv/search/rungmaster/worker/forked.py", line 84, in as_interpreter
    run()
  File "/srv/search/rungmaster/worker/forked.py", line 67, in <lambda>
    return as_interpreter(lambda: run_entrypoint(entrypoint))
                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/search/rungmaster/worker/child_main.py", line 78, in run_entrypoint
    train(trial)
  File "/srv/search/toy.py", line 41, in fail
    raise RuntimeError(f"no luck with quality {trial.hparams[''quality'']:.3f}")
RuntimeError: no luck with quality 0.100',1);
INSERT INTO "leases" VALUES(3,2,2,'3dd278211ff54bb3aa094215e472f4d6','one','62e75bb4b87b45eda0351a1cb66171fe',1,0,3,'',0,1.79572702950576496127e+09,1.79572703053079438207e+09,'failed','exited with code 1: RuntimeError: no luck with quality 0.100 (toy.py, line 41, in fail)
Traceback (most recent call last):
  File "/srv/search/rungmaster/worker/forked.py", line 84, in as_interpreter
    run()
  File "/srv/search/rungmaster/worker/forked.py", line 67, in <lambda>
    return as_interpreter(lambda: run_entrypoint(entrypoint))
                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/search/rungmaster/worker/child_main.py", line 78, in run_entrypoint
    train(trial)
  File "/srv/search/toy.py", line 41, in fail
    raise RuntimeError(f"no luck with quality {trial.hparams[''quality'']:.3f}")
RuntimeError: no luck with quality 0.100',1);
INSERT INTO "leases" VALUES(4,0,1,'3dd278211ff54bb3aa094215e472f4d6','one','a323250d36664b388ae386ca57182f93',1,0,1,'pause',1,1.7957270370038945675e+09,1.79572703729795956611e+09,'released','',3);
INSERT INTO "leases" VALUES(4,1,1,'3dd278211ff54bb3aa094215e472f4d6','one','ed92150faacc44ce983f73fdd6b892dc',1,0,1,'pause',1,1.79572703701650333409e+09,1.79572703734162664418e+09,'released','',3);
INSERT INTO "leases" VALUES(4,2,1,'3dd278211ff54bb3aa094215e472f4d6','one','dde375c207314283a5a3155e9a2b1b72',1,0,3,'pause',0,1.79572703725788807875e+09,1.79572703779643964763e+09,'given_back','',5);
INSERT INTO "leases" VALUES(4,3,1,'3dd278211ff54bb3aa094215e472f4d6','one','c656cd9f978640878f81f25eea987dca',1,0,1,'pause',1,1.79572703727355670929e+09,1.79572703760600042343e+09,'released','',3);
INSERT INTO "leases" VALUES(4,4,1,'3dd278211ff54bb3aa094215e472f4d6','one','39b644c8f19848e49a121d7cd93565a9',1,0,3,'pause',1,1.79572703756328654282e+09,1795727037.84011,'released','',3);
INSERT INTO "leases" VALUES(5,0,1,'3dd278211ff54bb3aa094215e472f4d6','one','8cd25cf9c7e74d09ab71b3b8f8f18413',1,0,1,'pause',1,1.79572703779643964763e+09,1.79572703870803856854e+09,'released','',3);
INSERT INTO "leases" VALUES(5,1,1,'3dd278211ff54bb3aa094215e472f4d6','one','fbb2388d82e545f6938de4fff76f7a1a',1,0,3,'pause',5,1795727037.80535,1.79572704006601810457e+09,'released','',7);
INSERT INTO "leases" VALUES(5,2,1,'0d78b8e76a8244c6906a2430d992b384','two','4651af20e88d45aca23002d250d41247',1,0,1,'pause',1,1.79572703825048232079e+09,1.79572703951236629484e+09,'released','',3);
INSERT INTO "leases" VALUES(5,2,2,'3dd278211ff54bb3aa094215e472f4d6','one','1e9cfff381aa43e8bad63b8ec8583183',1,1,3,'pause',3,1.7957270407696182728e+09,1.79572704223892259597e+09,'released','',5);
INSERT INTO "leases" VALUES(5,3,1,'0d78b8e76a8244c6906a2430d992b384','two','a7c078cc7bb64c01bac193603f5066e6',1,0,1,'',0,1.79572703829208970074e+09,1.79572704276560878751e+09,'expired','',0);
INSERT INTO "leases" VALUES(5,4,1,'3dd278211ff54bb3aa094215e472f4d6','one','2828fd10f3f840718bda886a1e68e687',1,0,3,'pause',5,1795727038.54012,1.79572704085091209408e+09,'released','',7);
INSERT INTO "leases" VALUES(5,5,1,'0d78b8e76a8244c6906a2430d992b384','two','34a46f55ab574ce8a15cfa106a17c8d4',1,0,1,'',0,1.79572703948792886737e+09,1.79572704276560878751e+09,'expired','',0);
INSERT INTO "leases" VALUES(5,6,1,'3dd278211ff54bb3aa094215e472f4d6','one','e6853e8573b14538842c007901014158',1,0,1,'pause',1,1.79572704004722309115e+09,1.79572704081698012357e+09,'released','',3);
INSERT INTO "leases" VALUES(5,7,1,'3dd278211ff54bb3aa094215e472f4d6','one','73b34031232748d88d31f6b62d877ef5',1,0,3,'',0,1.79572704079118514054e+09,NULL,'','',0);
INSERT INTO "leases" VALUES(5,8,1,'3dd278211ff54bb3aa094215e472f4d6','one','00ba0dd6730347588da5243b0c5ab76a',1,0,1,'',0,1.79572704222023105625e+09,NULL,'','',0);
CREATE TABLE mastership (
	mastership_id INTEGER NOT NULL, 
	term BIGINT NOT NULL, 
	holder TEXT NOT NULL, 
	start_time DOUBLE NOT NULL, 
	address TEXT NOT NULL, 
	database_id TEXT NOT NULL, 
	PRIMARY KEY (mastership_id)
)
 WITHOUT ROWID

;
INSERT INTO "mastership" VALUES(1,2,'vm-10557',1.79572703319095396991e+09,'127.0.0.1:50977','e8d9a986a8c1e796');
CREATE TABLE renewals (
	mastership_id INTEGER NOT NULL, 
	renew_time DOUBLE NOT NULL, 
	PRIMARY KEY (mastership_id)
)
 WITHOUT ROWID

;
INSERT INTO "renewals" VALUES(1,1.79572704130180668831e+09);
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
INSERT INTO "reports" VALUES(1,0,1,1,1,'{"error":1.195388682917}',1.79572702549758386608e+09);
INSERT INTO "reports" VALUES(1,0,1,2,2,'{"error":1.0287220162503332}',1.79572702551345968246e+09);
INSERT INTO "reports" VALUES(1,0,1,3,3,'{"error":0.945388682917}',1.79572702551345968246e+09);
INSERT INTO "reports" VALUES(1,1,1,1,1,'{"error":0.9831163600999999}',1.79572702548506617551e+09);
INSERT INTO "reports" VALUES(1,1,1,2,2,'{"error":0.8164496934333333}',1.7957270255015027523e+09);
INSERT INTO "reports" VALUES(1,1,1,3,3,'{"error":0.7331163600999999}',1.7957270255015027523e+09);
INSERT INTO "reports" VALUES(1,2,1,1,1,'{"error":0.5995260093065999}',1.79572702554234075542e+09);
INSERT INTO "reports" VALUES(1,2,1,2,2,'{"error":0.4328593426399333}',1.79572702555102467533e+09);
INSERT INTO "reports" VALUES(1,2,1,3,3,'{"error":0.3495260093066}',1.79572702555269718164e+09);
INSERT INTO "reports" VALUES(1,2,1,4,4,'{"error":0.2995260093066}',1.79572702556022405617e+09);
INSERT INTO "reports" VALUES(1,2,1,5,5,'{"error":0.2661926759732667}',1.79572702556398797039e+09);
INSERT INTO "reports" VALUES(1,2,1,6,6,'{"error":0.24238315216374284}',1.79572702556398797039e+09);
INSERT INTO "reports" VALUES(1,2,1,7,7,'{"error":0.2245260093066}',1.79572702556398797039e+09);
INSERT INTO "reports" VALUES(1,2,1,8,8,'{"error":0.2106371204177111}',1.79572702556398797039e+09);
INSERT INTO "reports" VALUES(1,2,1,9,9,'{"error":0.1995260093066}',1.79572702556398797039e+09);
INSERT INTO "reports" VALUES(1,3,1,1,1,'{"error":1.217302590213}',1.7957270255571074485e+09);
INSERT INTO "reports" VALUES(1,3,1,2,2,'{"error":1.0506359235463334}',1.79572702556398797039e+09);
INSERT INTO "reports" VALUES(1,3,1,3,3,'{"error":0.967302590213}',1.79572702556800746923e+09);
INSERT INTO "reports" VALUES(2,0,1,5,5,'{"error":0.8620553495836666}',1.79572702567225575445e+09);
INSERT INTO "reports" VALUES(2,0,1,9,9,'{"error":0.7953886829169999}',1.79572702567225575445e+09);
INSERT INTO "reports" VALUES(2,1,1,5,5,'{"error":0.6497830267666667}',1.79572702568626713752e+09);
INSERT INTO "reports" VALUES(2,1,1,10,9,'{"error":0.5831163601}',1.79572702570175027846e+09);
INSERT INTO "reports" VALUES(2,2,1,5,5,'{"error":0.2661926759732667}',1.79572702573977398873e+09);
INSERT INTO "reports" VALUES(2,2,1,10,9,'{"error":0.1995260093066}',1.79572702574154090876e+09);
INSERT INTO "reports" VALUES(2,2,1,15,14,'{"error":0.16619267597326665}',1.79572702575362467764e+09);
INSERT INTO "reports" VALUES(2,2,1,20,18,'{"error":0.1521575882539684}',1.7957270257586188316e+09);
INSERT INTO "reports" VALUES(2,2,1,25,22,'{"error":0.1430042701761652}',1.79572702577459836006e+09);
INSERT INTO "reports" VALUES(2,2,1,30,27,'{"error":0.1352402950208857}',1.79572702577787280081e+09);
INSERT INTO "reports" VALUES(2,3,1,5,5,'{"error":0.8839692568796667}',1.79572702577459836006e+09);
INSERT INTO "reports" VALUES(2,3,1,9,9,'{"error":0.817302590213}',1.79572702578027129172e+09);
INSERT INTO "reports" VALUES(2,4,1,5,4,'{"error":0.21595224217790002}',1.79572702584502148629e+09);
INSERT INTO "reports" VALUES(2,4,1,11,9,'{"error":0.11595224217790001}',1.79572702585536551475e+09);
INSERT INTO "reports" VALUES(2,4,1,15,13,'{"error":0.08738081360647143}',1.7957270258741419315e+09);
INSERT INTO "reports" VALUES(2,4,1,20,17,'{"error":0.07150779773345556}',1.79572702587824201579e+09);
INSERT INTO "reports" VALUES(2,4,1,25,22,'{"error":0.059430503047465215}',1.79572702589800286296e+09);
INSERT INTO "reports" VALUES(2,4,1,30,27,'{"error":0.05166652789218571}',1.79572702590097761157e+09);
INSERT INTO "reports" VALUES(2,5,1,5,4,'{"error":0.452855367153}',1.79572702585536551475e+09);
INSERT INTO "reports" VALUES(2,5,1,10,9,'{"error":0.35285536715300003}',1.79572702586781334874e+09);
INSERT INTO "reports" VALUES(4,0,1,1,1,'{"error":1.195388682917}',1.79572703723582935333e+09);
INSERT INTO "reports" VALUES(4,1,1,1,1,'{"error":0.9831163600999999}',1.79572703724625086789e+09);
INSERT INTO "reports" VALUES(4,2,1,1,1,'{"error":0.5995260093065999}',1.79572703750985598566e+09);
INSERT INTO "reports" VALUES(4,2,1,3,2,'{"error":0.4328593426399333}',1.79572703775489377975e+09);
INSERT INTO "reports" VALUES(4,3,1,1,1,'{"error":1.217302590213}',1.79572703755021882057e+09);
INSERT INTO "reports" VALUES(4,4,1,1,1,'{"error":0.5159522421779}',1795727037.80535);
INSERT INTO "reports" VALUES(5,0,1,1,1,'{"error":1.195388682917}',1.79572703853427076336e+09);
INSERT INTO "reports" VALUES(5,1,1,1,1,'{"error":0.9831163600999999}',1.79572703859459042552e+09);
INSERT INTO "reports" VALUES(5,1,1,3,2,'{"error":0.8164496934333333}',1.7957270393387618065e+09);
INSERT INTO "reports" VALUES(5,1,1,5,3,'{"error":0.7331163600999999}',1.79572704004459094999e+09);
INSERT INTO "reports" VALUES(5,2,1,1,1,'{"error":0.5995260093065999}',1.79572703948487210276e+09);
INSERT INTO "reports" VALUES(5,2,2,1,2,'{"error":0.4328593426399333}',1.79572704150357675555e+09);
INSERT INTO "reports" VALUES(5,2,2,3,3,'{"error":0.3495260093066}',1.79572704221748304367e+09);
INSERT INTO "reports" VALUES(5,4,1,1,1,'{"error":0.5159522421779}',1.7957270393456604481e+09);
INSERT INTO "reports" VALUES(5,4,1,3,2,'{"error":0.3492855755112333}',1.79572704005423712733e+09);
INSERT INTO "reports" VALUES(5,4,1,5,3,'{"error":0.2659522421779}',1.79572704076687669752e+09);
INSERT INTO "reports" VALUES(5,6,1,1,1,'{"error":1.297817813217}',1.7957270407637012005e+09);
INSERT INTO "reports" VALUES(5,7,1,1,1,'{"error":1.488479709366}',1.79572704157284259796e+09);
INSERT INTO "reports" VALUES(5,7,1,3,2,'{"error":1.3218130426993333}',1.79572704228292036061e+09);
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
INSERT INTO "rung_results" VALUES(1,0,0,0,3,0.945388682917,0,1.79572702551345968246e+09);
INSERT INTO "rung_results" VALUES(1,0,0,1,3,7.33116360099999919697e-01,0,1.7957270255015027523e+09);
INSERT INTO "rung_results" VALUES(1,0,0,2,3,0.3495260093066,1,1.79572702555269718164e+09);
INSERT INTO "rung_results" VALUES(1,0,0,3,3,0.967302590213,0,1.79572702556800746923e+09);
INSERT INTO "rung_results" VALUES(1,0,1,2,9,0.1995260093066,0,1.79572702556398797039e+09);
INSERT INTO "rung_results" VALUES(2,0,0,0,9,7.95388682916999933958e-01,0,1.79572702567225575445e+09);
INSERT INTO "rung_results" VALUES(2,0,0,1,9,0.5831163601,0,1.79572702570175027846e+09);
INSERT INTO "rung_results" VALUES(2,0,0,2,9,0.1995260093066,1,1.79572702574154090876e+09);
INSERT INTO "rung_results" VALUES(2,0,0,3,9,0.817302590213,0,1.79572702578027129172e+09);
INSERT INTO "rung_results" VALUES(2,0,0,4,9,1.15952242177900011199e-01,1,1.79572702585536551475e+09);
INSERT INTO "rung_results" VALUES(2,0,0,5,9,3.52855367153000032409e-01,0,1.79572702586781334874e+09);
INSERT INTO "rung_results" VALUES(2,0,1,2,27,1.35240295020885692434e-01,0,1.79572702577787280081e+09);
INSERT INTO "rung_results" VALUES(2,0,1,4,27,5.16665278921857110128e-02,0,1.79572702590097761157e+09);
INSERT INTO "rung_results" VALUES(3,0,0,0,0,NULL,0,1.79572702848919439318e+09);
INSERT INTO "rung_results" VALUES(3,0,0,1,0,NULL,0,1.79572702847800707822e+09);
INSERT INTO "rung_results" VALUES(3,0,0,2,0,NULL,0,1.79572703053079438207e+09);
INSERT INTO "rung_results" VALUES(4,0,0,0,1,1.195388682917,0,1.79572703723582935333e+09);
INSERT INTO "rung_results" VALUES(4,0,0,1,1,9.83116360099999919697e-01,0,1.79572703724625086789e+09);
INSERT INTO "rung_results" VALUES(4,0,0,2,1,5.99526009306599938497e-01,1,1.79572703750985598566e+09);
INSERT INTO "rung_results" VALUES(4,0,0,3,1,1.217302590213,0,1.79572703755021882057e+09);
INSERT INTO "rung_results" VALUES(4,0,0,4,1,0.5159522421779,1,1795727037.80535);
INSERT INTO "rung_results" VALUES(5,0,0,0,1,1.195388682917,0,1.79572703853427076336e+09);
INSERT INTO "rung_results" VALUES(5,0,0,2,1,5.99526009306599938497e-01,1,1.79572703948487210276e+09);
INSERT INTO "rung_results" VALUES(5,0,0,6,1,1.297817813217,0,1.7957270407637012005e+09);
INSERT INTO "rung_results" VALUES(5,0,1,2,3,0.3495260093066,0,1.79572704221748304367e+09);
INSERT INTO "rung_results" VALUES(5,1,0,1,3,7.33116360099999919697e-01,0,1.79572704004459094999e+09);
INSERT INTO "rung_results" VALUES(5,1,0,4,3,0.2659522421779,0,1.79572704076687669752e+09);
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
INSERT INTO "rungs" VALUES(2,0,0,9,6,2,0,1.15952242177900011199e-01);
INSERT INTO "rungs" VALUES(2,0,1,27,2,0,0,5.16665278921857110128e-02);
INSERT INTO "rungs" VALUES(3,0,0,3,3,0,3,NULL);
INSERT INTO "rungs" VALUES(3,0,1,9,0,0,0,NULL);
INSERT INTO "rungs" VALUES(4,0,0,1,5,2,0,0.5159522421779);
INSERT INTO "rungs" VALUES(4,0,1,3,0,0,0,NULL);
INSERT INTO "rungs" VALUES(4,0,2,9,0,0,0,NULL);
INSERT INTO "rungs" VALUES(5,0,0,1,3,1,0,5.99526009306599938497e-01);
INSERT INTO "rungs" VALUES(5,0,1,3,1,0,0,0.3495260093066);
INSERT INTO "rungs" VALUES(5,0,2,9,0,0,0,NULL);
INSERT INTO "rungs" VALUES(5,1,0,3,2,0,0,0.2659522421779);
INSERT INTO "rungs" VALUES(5,1,1,9,0,0,0,NULL);
CREATE TABLE thinnings (
	experiment_id INTEGER NOT NULL, 
	keep_every INTEGER NOT NULL, 
	reports_dropped BIGINT NOT NULL, 
	next_trial INTEGER NOT NULL, 
	start_time DOUBLE NOT NULL, 
	end_time DOUBLE, 
	PRIMARY KEY (experiment_id)
)
 WITHOUT ROWID

;
INSERT INTO "thinnings" VALUES(2,5,70,5,1.795727025985691309e+09,1.79572702602399945264e+09);
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
	hparams TEXT NOT NULL, best_metric DOUBLE, best_resource BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (experiment_id, trial_id)
)
 WITHOUT ROWID

;
INSERT INTO "trials" VALUES(1,0,'stopped','rank 2 of 2 at rung 0, none goes on yet; the search has ended',0,0,3,3,0.945388682917,3,0,0,1,1.79572702519313263892e+09,1.79572702558704471592e+09,'{"quality":0.695388682917,"seconds_per_epoch":0.0,"width":16}',0.945388682917,3);
INSERT INTO "trials" VALUES(1,1,'stopped','rank 1 of 1 at rung 0, none goes on yet; the search has ended',0,0,3,3,7.33116360099999919697e-01,3,0,0,1,1.79572702521803188326e+09,1.79572702558704471592e+09,'{"quality":0.4831163601,"seconds_per_epoch":0.0,"width":64}',7.33116360099999919697e-01,3);
INSERT INTO "trials" VALUES(1,2,'completed','trained to the last rung at 9: rank 1 of 1 at rung 1',0,1,9,9,0.1995260093066,9,0,0,1,1.79572702550970697403e+09,1.79572702556398797039e+09,'{"quality":0.0995260093066,"seconds_per_epoch":0.0,"width":16}',0.1995260093066,9);
INSERT INTO "trials" VALUES(1,3,'stopped','rank 4 of 4 at rung 0, the best goes on; the search has ended',0,0,3,3,0.967302590213,3,0,0,1,1.79572702551750922202e+09,1.79572702558704471592e+09,'{"quality":0.717302590213,"seconds_per_epoch":0.0,"width":16}',0.967302590213,3);
INSERT INTO "trials" VALUES(2,0,'stopped','rank 1 of 1 at rung 0, none goes on yet; the search has ended',0,0,9,9,7.95388682916999933958e-01,9,0,0,1,1.79572702564419293402e+09,1.7957270259238662719e+09,'{"quality":0.695388682917,"seconds_per_epoch":0.0,"width":16}',7.95388682916999933958e-01,9);
INSERT INTO "trials" VALUES(2,1,'stopped','rank 1 of 2 at rung 0, none goes on yet; the search has ended',0,0,9,9,0.5831163601,9,0,0,1,1.79572702564981198309e+09,1.7957270259238662719e+09,'{"quality":0.4831163601,"seconds_per_epoch":0.0,"width":64}',0.5831163601,9);
INSERT INTO "trials" VALUES(2,2,'completed','trained to the last rung at 27: rank 1 of 1 at rung 1',0,1,27,27,1.35240295020885692434e-01,27,0,0,1,1.79572702567572188374e+09,1.79572702577787280081e+09,'{"quality":0.0995260093066,"seconds_per_epoch":0.0,"width":16}',1.35240295020885692434e-01,27);
INSERT INTO "trials" VALUES(2,3,'stopped','rank 4 of 4 at rung 0, the best goes on; the search has ended',0,0,9,9,0.817302590213,9,0,0,1,1.79572702570548272133e+09,1.7957270259238662719e+09,'{"quality":0.717302590213,"seconds_per_epoch":0.0,"width":16}',0.817302590213,9);
INSERT INTO "trials" VALUES(2,4,'completed','trained to the last rung at 27: rank 1 of 2 at rung 1',0,1,27,27,5.16665278921857110128e-02,27,0,0,1,1.79572702578197884561e+09,1.79572702590097761157e+09,'{"quality":0.0159522421779,"seconds_per_epoch":0.0,"width":64}',5.16665278921857110128e-02,27);
INSERT INTO "trials" VALUES(2,5,'stopped','rank 3 of 6 at rung 0, the top 2 go on; the search has ended',0,0,9,9,3.52855367153000032409e-01,9,0,0,1,1.7957270257857251167e+09,1.7957270259238662719e+09,'{"quality":0.252855367153,"seconds_per_epoch":0.0,"width":64}',3.52855367153000032409e-01,9);
INSERT INTO "trials" VALUES(3,0,'failed','failed 2 times, the last time with: exited with code 1: RuntimeError: no luck with quality 0.695 (toy.py, line 41, in fail)',0,0,0,3,NULL,0,2,0,2,1.79572702608786320685e+09,1.79572702848919439318e+09,'{"quality":0.695388682917,"seconds_per_epoch":0.0,"width":16}',NULL,0);
INSERT INTO "trials" VALUES(3,1,'failed','failed 2 times, the last time with: exited with code 1: RuntimeError: no luck with quality 0.483 (toy.py, line 41, in fail)',0,0,0,3,NULL,0,2,0,2,1.79572702611766648293e+09,1.79572702847800707822e+09,'{"quality":0.4831163601,"seconds_per_epoch":0.0,"width":64}',NULL,0);
INSERT INTO "trials" VALUES(3,2,'failed','failed 2 times, the last time with: exited with code 1: RuntimeError: no luck with quality 0.100 (toy.py, line 41, in fail)',0,0,0,3,NULL,0,2,0,2,1.79572702847800707822e+09,1.79572703053079438207e+09,'{"quality":0.0995260093066,"seconds_per_epoch":0.0,"width":16}',NULL,0);
INSERT INTO "trials" VALUES(4,0,'cancelled','its experiment was cancelled',0,0,1,1,1.195388682917,1,0,0,1,1.7957270370038945675e+09,1.79572704279171276096e+09,'{"quality":0.695388682917,"seconds_per_epoch":0.2,"width":16}',1.195388682917,1);
INSERT INTO "trials" VALUES(4,1,'cancelled','its experiment was cancelled',0,0,1,1,9.83116360099999919697e-01,1,0,0,1,1.79572703701650333409e+09,1.79572704279171276096e+09,'{"quality":0.4831163601,"seconds_per_epoch":0.2,"width":64}',9.83116360099999919697e-01,1);
INSERT INTO "trials" VALUES(4,2,'pending','given back by its worker',0,1,2,3,5.99526009306599938497e-01,1,0,0,1,1.79572703725788807875e+09,NULL,'{"quality":0.0995260093066,"seconds_per_epoch":0.2,"width":16}',4.32859342639933308838e-01,2);
INSERT INTO "trials" VALUES(4,3,'paused','rank 4 of 4 at rung 0, the best goes on',0,0,1,1,1.217302590213,1,0,0,1,1.79572703727355670929e+09,NULL,'{"quality":0.717302590213,"seconds_per_epoch":0.2,"width":16}',1.217302590213,1);
INSERT INTO "trials" VALUES(4,4,'pending','given back by its worker',0,1,1,3,0.5159522421779,1,0,0,1,1.79572703756328654282e+09,NULL,'{"quality":0.0159522421779,"seconds_per_epoch":0.2,"width":64}',0.5159522421779,1);
INSERT INTO "trials" VALUES(5,0,'paused','rank 1 of 1 at rung 0, none goes on yet',0,0,1,1,1.195388682917,1,0,0,1,1.79572703779643964763e+09,NULL,'{"quality":0.695388682917,"seconds_per_epoch":0.7,"width":16}',1.195388682917,1);
INSERT INTO "trials" VALUES(5,1,'paused','rank 1 of 1 at rung 0, none goes on yet',1,0,3,3,7.33116360099999919697e-01,3,0,0,1,1795727037.80535,NULL,'{"quality":0.4831163601,"seconds_per_epoch":0.7,"width":64}',7.33116360099999919697e-01,3);
INSERT INTO "trials" VALUES(5,2,'paused','rank 1 of 1 at rung 1, none goes on yet',0,1,3,3,0.3495260093066,3,0,0,2,1.79572703825048232079e+09,NULL,'{"quality":0.0995260093066,"seconds_per_epoch":0.7,"width":16}',0.3495260093066,3);
INSERT INTO "trials" VALUES(5,3,'pending','its worker two was lost',0,0,0,1,NULL,0,0,1,1,1.79572703829208970074e+09,NULL,'{"quality":0.717302590213,"seconds_per_epoch":0.7,"width":16}',NULL,0);
INSERT INTO "trials" VALUES(5,4,'paused','rank 1 of 2 at rung 0, none goes on yet',1,0,3,3,0.2659522421779,3,0,0,1,1795727038.54012,NULL,'{"quality":0.0159522421779,"seconds_per_epoch":0.7,"width":64}',0.2659522421779,3);
INSERT INTO "trials" VALUES(5,5,'pending','its worker two was lost',0,0,0,1,NULL,0,0,1,1,1.79572703948792886737e+09,NULL,'{"quality":0.252855367153,"seconds_per_epoch":0.7,"width":64}',NULL,0);
INSERT INTO "trials" VALUES(5,6,'paused','rank 3 of 3 at rung 0, the best goes on',0,0,1,1,1.297817813217,1,0,0,1,1.79572704004722309115e+09,NULL,'{"quality":0.797817813217,"seconds_per_epoch":0.7,"width":32}',1.297817813217,1);
INSERT INTO "trials" VALUES(5,7,'running','trained by one',1,0,2,3,NULL,0,0,0,1,1.79572704079118514054e+09,NULL,'{"quality":0.988479709366,"seconds_per_epoch":0.7,"width":16}',1.32181304269933330708e+00,2);
INSERT INTO "trials" VALUES(5,8,'running','trained by one',0,0,0,1,NULL,0,0,0,1,1.79572704222023105625e+09,NULL,'{"quality":0.0669584182785,"seconds_per_epoch":0.7,"width":32}',NULL,0);
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
	hello_time DOUBLE NOT NULL, drain_time DOUBLE, identity TEXT DEFAULT '' NOT NULL, secret_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (session_id)
)
 WITHOUT ROWID

;
INSERT INTO "workers" VALUES('0d78b8e76a8244c6906a2430d992b384','two','vm',10657,'0.1.0',2,'[]','{}','disconnected',1.79572703953516125681e+09,NULL,'','c66a44c9f6e3ba4425f96c45537ae77301b82736acd9a1507a7c24a51c6c7014');
INSERT INTO "workers" VALUES('3dd278211ff54bb3aa094215e472f4d6','one','vm',10224,'0.1.0',2,'[]','{}','connected',1.79572703352917265899e+09,NULL,'','bf8de5975a0cb5825c174a64eeeb3ccf6fa3d79b2562b8c79dcead1346a1cf07');
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
CREATE INDEX ix_trials_best_lowest ON trials (experiment_id, state, best_metric, trial_id) WHERE best_metric IS NOT NULL;
CREATE INDEX ix_trials_best_highest ON trials (experiment_id, state, best_metric DESC, trial_id) WHERE best_metric IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',127);
COMMIT;
