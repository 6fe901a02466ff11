// Numbers with bounds and units: sizes, durations, whole and octal numbers; read and written.

import type { DurationUnit, Kind } from './option.js'

type IntKind = Extract<Kind, { type: 'int' }>
type SizeKind = Extract<Kind, { type: 'size' }>
type DurationKind = Extract<Kind, { type: 'duration' }>
type OctalKind = Extract<Kind, { type: 'octal' }>

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
}
const BYTES: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

/** The unit that a duration is normalized to. */
export const normalUnit = (kind: DurationKind): 'us' | 'ms' => (kind.unit === 'us' ? 'us' : 'ms')

const within = (kind: { min?: number; max: number }, value: number): number | undefined =>
  value >= (kind.min ?? 0) && value <= kind.max ? value : undefined

/** `-12`: a whole number within the bounds, else undefined. */
export function readInt(kind: IntKind, text: string): number | undefined {
  const { min, max, wider } = kind
  const bounds = { min, max: wider?.max ?? max }
  return /^-?\d{1,15}$/.test(text) ? within(bounds, Number(text)) : undefined
}

/** `0640`: octal digits. */
export function readOctal(kind: OctalKind, text: string): number | undefined {
  return /^(0o)?[0-7]{1,6}$/.test(text)
    ? within(kind, Number.parseInt(text.replace('0o', ''), 8))
    : undefined
}

/** `512`, `64k`, `1m`, `2g`: bytes. */
export function readSize(kind: SizeKind, text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15})([kmg]?)$/i.exec(text) ?? []
  if (digits === undefined) return undefined
  return within(kind, Number(digits) * (BYTES[unit.toLowerCase()] ?? Number.NaN))
}

/** `250ms`, `1.5s`, `5m`, or a number in the row's unit. Undefined where nothing whole comes out: 0.4 ms must not become 0, which is off. */
export function readDuration(kind: DurationKind, text: string): number | undefined {
  const [, digits, fraction = '', unit = kind.unit] =
    /^(\d{1,12})(?:\.(\d{1,9}))?(us|ms|s|m|h|d)?$/i.exec(text) ?? []
  if (digits === undefined) return undefined
  const scale = NANOSECONDS[unit.toLowerCase()] ?? 0n
  const scaled = BigInt(digits + fraction) * scale
  const divisor = 10n ** BigInt(fraction.length) * (NANOSECONDS[normalUnit(kind)] ?? 1n)
  return scaled % divisor === 0n ? within(kind, Number(scaled / divisor)) : undefined
}

/** Bytes as a person writes them: 65536 → `64k`. */
export function writeSize(bytes: number): string {
  for (const unit of ['g', 'm', 'k']) {
    const scale = BYTES[unit] ?? 1
    if (bytes !== 0 && bytes % scale === 0) return `${bytes / scale}${unit}`
  }
  return String(bytes)
}

/** A normalized duration as a person writes it: 300000 → `5m`, 1500 → `1500ms`, 0 → `0`. */
export function writeDuration(kind: { unit: DurationUnit }, value: number): string {
  if (value === 0) return '0'
  const own = kind.unit === 'us' ? 'us' : 'ms'
  const nanoseconds = BigInt(value) * (NANOSECONDS[own] ?? 1n)
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const scale = NANOSECONDS[unit] ?? 1n
    if (nanoseconds % scale === 0n && !(unit === 'm' && nanoseconds === scale))
      return `${nanoseconds / scale}${unit}`
  }
  return `${value}${own}`
}

const range = (min: string, max: string) => `from ${min} to ${max}`

/** `; with protocol vsock to 4294967294`: the larger maximum, where there is one. */
export const widerText = ({ wider }: IntKind): string =>
  wider === undefined ? '' : `; with ${wider.with} to ${wider.max}`

/** What was wanted, for messages. */
export function wantedQuantity(kind: IntKind | SizeKind | DurationKind | OctalKind): string {
  switch (kind.type) {
    case 'int':
      return `a whole number ${range(String(kind.min), String(kind.max))}${widerText(kind)}`
    case 'octal':
      return `an octal number ${range('0', kind.max.toString(8))}`
    case 'size':
      return `a size such as 512, 64k or 1m ${range(writeSize(kind.min), writeSize(kind.max))}`
    case 'duration':
      return `a time such as 250ms, 30s or 5m ${range(writeDuration(kind, kind.min), writeDuration(kind, kind.max))}, in whole ${normalUnit(kind)}; a bare number is in ${kind.unit}`
  }
}
