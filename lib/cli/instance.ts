// What the command's process is to the system while it serves: its pidfile, its masters (the command that detached it,
// the service manager), its duties as process 1. One object from before anything is bound until all is closed.

import type { Resolved } from '../options/index.js'
import { takeActivation } from '../process/activation.js'
import { type Detached, openOutput } from '../process/daemon.js'
import { Notifier } from '../process/notify.js'
import { Pidfile } from '../process/pidfile.js'
import { reapOrphans } from '../process/reaper.js'
import { complain } from './terminal.js'

/**
 * The instance of a server that this process is.
 *
 * @example
 * const instance = Instance.begin(resolved, Detached.take())
 * instance.ready(['127.0.0.1:8080'])
 * instance.end()
 */
export class Instance {
  /** Listening descriptors of the service manager; none: host and port are bound. */
  readonly descriptors: readonly number[]
  readonly #notifier: Notifier
  readonly #pidfile: Pidfile | undefined
  readonly #detached: Detached | undefined
  readonly #output: number
  readonly #stopReaping: () => void

  private constructor({ settings, origins }: Resolved, detached: Detached | undefined) {
    this.#detached = detached
    this.#notifier = Notifier.take(process.env, (line) => complain(`gaidaros: ${line}`))
    this.descriptors = takeActivation(process.env).map(({ fd }) => fd)
    if (detached !== undefined || origins.umask.kind !== 'default') process.umask(settings.umask)
    this.#output = detached === undefined ? -1 : openOutput(settings.logFile)
    this.#pidfile = settings.pidFile === '' ? undefined : Pidfile.claim(settings.pidFile)
    this.#stopReaping = process.pid === 1 ? reapOrphans() : () => undefined
  }

  /**
   * Takes what the environment hands over, opens the log, claims the pidfile.
   * @throws GaidarosError ERR_GAIDAROS_PROCESS, ERR_GAIDAROS_LISTEN; nothing is bound then
   */
  static begin(resolved: Resolved, detached: Detached | undefined): Instance {
    return new Instance(resolved, detached)
  }

  /** It serves. */
  ready(places: readonly string[]): void {
    this.#notifier.ready(`serving on ${places.join(', ')}`)
    this.#detached?.ready(this.#output)
  }

  /** A reload begins; ready() ends it. */
  reloading(): void {
    this.#notifier.reloading()
  }

  /** It stops accepting. */
  stopping(status: string): void {
    this.#notifier.stopping(status)
  }

  /** All is closed. */
  end(): void {
    this.#stopReaping()
    this.#pidfile?.remove()
  }

  /** For an upgrade: moveAside() and restore(). */
  get pidfile(): Pidfile | undefined {
    return this.#pidfile
  }
}
