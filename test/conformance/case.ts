// What one conformance case is and what it is given.

import type { Test } from 'tap'
import type { CloseReason } from '../../lib/engine/reasons.js'
import { ABNORMAL } from '../../lib/engine/reasons.js'
import { type Options, Served } from './served.js'
import type { Variant } from './variant.js'

/** Runs against one variant; throws or reports to `t` what is wrong. */
export type Case = (t: Test, ctx: Context) => Promise<void>

/** Cases of one subject by their names. */
export type Cases = Record<string, Case>

/** Made for each case: starts servers of the variant and takes them down afterwards. */
export class Context {
  readonly variant: Variant
  private readonly started: Served[] = []

  private readonly caseFile: string | undefined

  /** @param caseFile of the case, where its variant runs handlers elsewhere */
  constructor(variant: Variant, caseFile: string) {
    this.variant = variant
    this.caseFile = variant.sent ? caseFile : undefined
  }

  /** A server that is constructed with the variant's options and `options`, not yet listening. */
  make(options: Options = {}): Served {
    const all = { ...this.variant.options, ...options }
    const served = new Served(all, this.caseFile, this.variant.ahead)
    this.started.push(served)
    return served
  }

  /** A listening server. */
  serve(options: Options = {}): Promise<Served> {
    return this.make(options).listen()
  }

  /** What its servers counted and logged, for a case that fails. */
  async shown(): Promise<string> {
    return (await Promise.all(this.started.map((served) => served.shown()))).join('\n')
  }

  async teardown(): Promise<void> {
    const results = await Promise.allSettled(this.started.map((served) => served.teardown()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}

export interface Misbehaviour {
  /** Options beyond the default handler, which echoes lines. */
  options?: Options
  /** What the bad client does; its connection must end by itself. */
  act: (served: Served) => Promise<unknown>
  /** The reason that is counted, once for each of `count` connections. */
  reason: CloseReason
  count?: number
  /** What the log must say besides the reason. */
  log?: RegExp
  /** What the second connection asks (default: a line, echoed). */
  ask?: [request: string, reply: string]
}

/**
 * A bad client beside a good one: the bad one's connection ends for the reason given, which is counted and
 * (where it is abnormal) logged, and the good one is served before, and after, on the same connection.
 */
export async function misbehave(t: Test, ctx: Context, bad: Misbehaviour): Promise<Served> {
  const { reason, count = 1, ask = ['fine\n', 'fine\n'] } = bad
  const served = await ctx.serve(bad.options)
  const good = await served.connect()
  await good.ask(...ask)
  await bad.act(served)
  await served.reachClosed(reason, count)
  await served.reachActive(1)
  t.equal(await served.closed(reason), count, `closed by ${reason}`)
  if (ABNORMAL.has(reason)) await served.logged(new RegExp(reason))
  if (bad.log) await served.logged(bad.log)
  await good.ask(...ask)
  return served
}
