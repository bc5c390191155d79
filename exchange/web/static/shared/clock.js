// Times as people read them, in their own time zone.

const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MINUTE = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DATE = new Intl.DateTimeFormat([], { dateStyle: "short", timeStyle: "medium", hourCycle: "h23" });

export const clock = (time) => CLOCK.format(new Date(time));
export const minute = (time) => MINUTE.format(new Date(time));
export const when = (time) => DATE.format(new Date(time));
