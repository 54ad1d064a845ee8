// Times of day on India's clock, always with the word IST, and lengths of time in words.

const OFFSET = 5.5 * 3600;
const DAY = 86_400;
const MARKET_OPENS = (9 * 60 + 15) * 60;
const MARKET_CLOSES = (15 * 60 + 30) * 60;

const format = (options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Kolkata", hourCycle: "h23", ...options });

const TIME = format({ hour: "2-digit", minute: "2-digit" });
const STAMP = format({
  day: "2-digit",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const DAY_NAME = format({ weekday: "short", day: "numeric", month: "short" });

function dayOf(unix: number): number {
  return Math.floor((unix + OFFSET) / DAY);
}

/** "09:15 IST", with the day where it is not that of `now`. */
export function istTime(unix: number, now: number): string {
  const time = TIME.format(unix * 1000);
  if (dayOf(unix) === dayOf(now)) return `${time} IST`;
  if (dayOf(unix) === dayOf(now) + 1) return `${time} IST tomorrow`;
  return `${time} IST, ${DAY_NAME.format(unix * 1000)}`;
}

/** Unix seconds of an RFC 3339 time. */
export function unixOf(rfc3339: string): number {
  return Math.floor(Date.parse(rfc3339) / 1000);
}

/** "2 h 03 min", "4 min 05 s", "9 s"; never below nothing. */
export function lengthInWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (count: number) => count.toString().padStart(2, "0");
  if (whole >= DAY) return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / 3600)} h`;
  if (whole >= 3600)
    return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  if (whole >= 60) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${whole} s`;
}

/** "19:31:02", "4:05"; never below nothing. */
export function clockOf(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (count: number) => count.toString().padStart(2, "0");
  const minutes = Math.floor((whole % 3600) / 60);
  if (whole < 3600) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(whole / 3600)}:${two(minutes)}:${two(whole % 60)}`;
}

/** When tokens are needed: now while the market is open, else at its next 09:15 IST. Weekends are left out, holidays not. */
export function neededAt(now: number): number {
  const second = now + OFFSET - dayOf(now) * DAY;
  const isOpen = second >= MARKET_OPENS && second < MARKET_CLOSES;
  if (isTradingDay(dayOf(now)) && isOpen) return now;
  let day = second < MARKET_OPENS ? dayOf(now) : dayOf(now) + 1;
  while (!isTradingDay(day)) day += 1;
  return day * DAY + MARKET_OPENS - OFFSET;
}

/** 1970-01-01 was a Thursday. */
function isTradingDay(day: number): boolean {
  const weekday = (day + 4) % 7;
  return weekday !== 0 && weekday !== 6;
}

/** "25 Nov 2026, 08:01:12 IST": for records, where the day is always of interest. */
export function istStamp(unix: number): string {
  return `${STAMP.format(unix * 1000)} IST`;
}

/** "just now", "3 min ago", "2 h ago", "5 d ago"; "in 5 d" for what is to come (`seconds` below nothing). */
export function roughlyAgo(seconds: number): string {
  const length = Math.abs(seconds);
  if (length < 60) return "just now";
  const words =
    length < 3600
      ? `${Math.floor(length / 60)} min`
      : length < DAY
        ? `${Math.floor(length / 3600)} h`
        : `${Math.floor(length / DAY)} d`;
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

/** RFC 3339 of the midnight with which a day begins in India; `day` is "2026-11-25". */
export function istMidnight(day: string): string {
  return `${day}T00:00:00+05:30`;
}

/** The day after: "2026-11-30" gives "2026-12-01". */
export function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + DAY * 1000).toISOString().slice(0, 10);
}
