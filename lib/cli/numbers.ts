// Numbers as a person reads them, for the statistics lines of the command.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** Bytes with a binary unit and three figures. @example bytes(1536) // '1.50 KiB' */
export function bytes(count: number): string {
  let value = count
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return unit === 0
    ? `${Math.round(value)} B`
    : `${value.toPrecision(value >= 1000 ? 4 : 3)} ${UNITS[unit]}`
}

/** A count with thousands kept apart. @example count(1234567) // '1 234 567' */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ')
}

/** Seconds as the larger units that fit. @example duration(3725) // '1 h 2 min 5 s' */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`
  const whole = Math.round(seconds)
  const parts = [
    [Math.floor(whole / 3600), 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ] as const
  return parts
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ')
}

/** A time with three figures and the unit that fits. @example time(1234) // '1.23 ms' */
export function time(microseconds: number): string {
  if (microseconds <= 0) return '0'
  const [value, unit] =
    microseconds < 1000
      ? [microseconds, 'µs']
      : microseconds < 1e6
        ? [microseconds / 1000, 'ms']
        : [microseconds / 1e6, 's']
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ${unit}`
}

/** A share of 1. @example percent(0.123) // '12 %' */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** A part of a whole with at most two decimals; '0' for nothing of nothing. @example ratio(5, 2) // '2.5' */
export function ratio(part: number, whole: number): string {
  return whole === 0 ? '0' : String(Number((part / whole).toFixed(2)))
}

/** Counts by their names, largest first; those that are 0 are left out. @example named({ a: 0, b: 2 }) // '2 b' */
export function named(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([name, n]) => `${count(n)} ${name}`)
    .join(', ')
}

/** All of them together. */
export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0)
}
