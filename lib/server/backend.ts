// What decides how a server serves: in one loop of this process, or in processes that it supervises. The class
// Gaidaros has one; server_type chooses.

import type { Address, Engine, Limits } from '../engine/engine.js'
import type { Settings } from '../options/settings.js'
import type { Inspection, Question } from './inspection.js'
import type { ServerStats } from './stats.js'

export type EngineInfo = Pick<Engine, 'name' | 'description'>

/** What a reload did, as it stands in the log. */
export interface ReloadReport {
  /** Options that have their new value now, and what else is new. */
  changed: readonly string[]
  /** Options whose new value needs a restart, or an upgrade. */
  left: readonly string[]
}

export interface Backend {
  readonly addresses: readonly Address[]
  readonly engine: EngineInfo | undefined
  /** Those that are in force; a reload leaves some as they were. */
  readonly settings: Settings
  /** Serves. @throws what cannot be had; nothing is left open then */
  start(): Promise<void>
  stats(): ServerStats
  /** As new as it can be had. */
  collectStats(): Promise<ServerStats>
  /** Asks every process; waits for none longer than a second or so. */
  inspect(question: Question): Promise<Inspection>
  setLimits(limits: Limits): void
  /** @throws why the new settings cannot be served; the old ones go on */
  reload(settings: Settings): Promise<ReloadReport>
  /**
   * Reads certificates and keys anew; connections that are open keep theirs.
   * @returns the files of the certificates; none: TLS is not spoken
   * @throws GaidarosError ERR_GAIDAROS_TLS; the old ones stay
   */
  reloadCertificates(): Promise<string[]>
  reopenLogs(): void
  /** Settles when all is closed. Called once. */
  close(graceMs: number): Promise<void>
  /** Ends other processes at once; this one is about to exit. */
  kill(): void
}
