// The Date of responses (RFC 9110 6.6.1), made once a second and not while nobody asks.

const SECOND_MS = 1000

let line = ''
/** Told when what was made of a date is over. */
const forgetful: (() => void)[] = []

/** 'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n' */
export function dateLine(): string {
  return line === '' ? made() : line
}

/** @param forget called when the second is over */
export function withEachDate(forget: () => void): void {
  forgetful.push(forget)
}

function made(): string {
  const now = Date.now()
  line = `Date: ${new Date(now).toUTCString()}\r\n`
  setTimeout(over, SECOND_MS - (now % SECOND_MS)).unref()
  return line
}

function over(): void {
  line = ''
  for (const forget of forgetful) forget()
}
