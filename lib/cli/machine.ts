// What this machine is, against what Gaidaros needs: the minimum requirements stand here once, and the
// README repeats them.

import { release } from 'node:os'

/** Oldest versions that will do. `for` names what needs them. */
export const MINIMUM = {
  node: '20.19',
  glibc: '2.28',
  /** Sends batched through a ring. */
  batchedSends: '5.6',
  /** Multishot receive. */
  completion: '6.0',
} as const

/**
 * True when `version` is `minimum` or later; parts are compared as numbers.
 * @example
 * reaches('6.18.4-cloud', '6.0') // true
 */
export function reaches(version: string, minimum: string): boolean {
  const parts = (text: string) => (/^[\d.]+/.exec(text)?.[0] ?? '').split('.').map(Number)
  const have = parts(version)
  for (const [index, wanted] of parts(minimum).entries()) {
    const part = have[index] ?? 0
    if (part !== wanted) return part > wanted
  }
  return true
}

/** Version of the C library that runs this; undefined where it is not glibc. */
export function glibcVersion(): string | undefined {
  // Names of peers are not needed, and looking them up is slow.
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report
  report.excludeNetwork = true
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime
}

/** One requirement and how this machine meets it. */
export interface Fact {
  name: string
  value: string
  /** Why it will not do; absent where it does. */
  lack?: string
}

function versionFact(name: string, value: string, minimum: string): Fact {
  return reaches(value, minimum)
    ? { name, value }
    : { name, value, lack: `wanted ${minimum} or later` }
}

/** Node, kernel and C library. */
export function machineFacts(): Fact[] {
  const glibc = glibcVersion()
  return [
    versionFact('node', process.versions.node, MINIMUM.node),
    { name: 'system', value: `${process.platform} ${process.arch}` },
    { name: 'kernel', value: release() },
    glibc === undefined
      ? { name: 'glibc', value: 'none' }
      : versionFact('glibc', glibc, MINIMUM.glibc),
  ]
}
