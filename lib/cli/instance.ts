// What the command's process is to the system while it serves: its pidfile, its masters (the command that detached it,
// the service manager), its duties as process 1. One object from before anything is bound until all is closed.

import type { Resolved } from '../options/index.js'
import { takeActivation } from '../process/activation.js'
import { Detached, openOutput } from '../process/daemon.js'
import { Notifier } from '../process/notify.js'
import { Pidfile } from '../process/pidfile.js'
import { reapOrphans } from '../process/reaper.js'
import type { UpgradeHooks } from '../server/pool/successor.js'
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
  /** Variables of the service manager for whoever takes this one's place. */
  readonly #manager: NodeJS.ProcessEnv
  readonly #pidfilePath: string
  #pidfile: Pidfile | undefined
  readonly #detached: Detached | undefined
  readonly #output: number
  readonly #stopReaping: () => void

  private constructor(
    { settings, origins }: Resolved,
    detached: Detached | undefined,
    succeeds: boolean,
  ) {
    this.#detached = detached
    this.#manager = managerOf(process.env)
    this.#notifier = Notifier.take(process.env, (line) => complain(`gaidaros: ${line}`))
    this.descriptors = takeActivation(process.env, settings.protocol).map(({ fd }) => fd)
    if (detached !== undefined || origins.umask.kind !== 'default') process.umask(settings.umask)
    this.#output = detached === undefined ? -1 : openOutput(settings.logFile)
    this.#pidfilePath = settings.pidFile
    if (!succeeds) this.#claim()
    this.#stopReaping = process.pid === 1 ? reapOrphans() : () => undefined
  }

  /**
   * Takes what the environment hands over, opens the log, claims the pidfile.
   * @param succeeds whether another server goes on until this one is ready: only then the pidfile is claimed
   * @throws GaidarosError ERR_GAIDAROS_PROCESS, ERR_GAIDAROS_LISTEN; nothing is bound then
   */
  static begin(resolved: Resolved, detached: Detached | undefined, succeeds = false): Instance {
    return new Instance(resolved, detached, succeeds)
  }

  #claim(): void {
    if (this.#pidfilePath !== '') this.#pidfile ??= Pidfile.claim(this.#pidfilePath)
  }

  /** Where a detached process's output goes from ready() on, and that of its server processes from their start. */
  get output(): number | undefined {
    return this.#output < 0 ? undefined : this.#output
  }

  /** It serves. */
  ready(places: readonly string[]): void {
    this.#claim()
    this.#notifier.ready(`serving on ${places.join(', ')}`)
    this.#detached?.ready(this.#output)
  }

  /** A reload begins; reloaded() ends it. */
  reloading(): void {
    this.#notifier.reloading()
  }

  /** It has ended, whatever came of it. */
  reloaded(places: readonly string[]): void {
    this.#notifier.ready(`serving on ${places.join(', ')}`)
  }

  /** Another process is the server from now on; this one only ends its connections. */
  handedOver(pid: number): void {
    this.#notifier.mainPid(pid)
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

  /** What has to happen around an upgrade: the new process takes the pidfile's name, and all that this one was given. */
  upgradeHooks(): UpgradeHooks {
    return {
      moveAside: () => this.#pidfile?.moveAside('.oldbin'),
      restore: () => {
        if (this.#pidfile?.restore() === false)
          complain('gaidaros: upgrade: the pidfile is held by another process')
      },
      directory: this.#detached?.directory ?? process.cwd(),
      environment: { ...this.#manager, ...(this.#detached && Detached.environment) },
    }
  }
}

/** Without the pid that WATCHDOG_USEC is meant for: it is another one's then. */
const managerOf = ({ NOTIFY_SOCKET, WATCHDOG_USEC }: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...(NOTIFY_SOCKET !== undefined && { NOTIFY_SOCKET }),
  ...(WATCHDOG_USEC !== undefined && { WATCHDOG_USEC }),
})
