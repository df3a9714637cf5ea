// Shows times in the zone and language of the reader; UTC is what the server wrote.
const sameDay = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const otherDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export function showTimes(part) {
  const today = new Date().toDateString();
  for (const time of part.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const told = (moment.toDateString() === today ? sameDay : otherDay).format(moment);
    if (time.textContent !== told) time.textContent = told;
    time.title = exact.format(moment);
  }
}
