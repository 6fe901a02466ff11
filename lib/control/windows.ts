// The windows through which a server can be seen into while it runs: its control socket and its metrics. Opened before
// it serves, so that what is wrong with them is said before anything is; closed when it is closed.

import type { Log } from '../log/log.js'
import type { Settings } from '../options/settings.js'
import { futureOwner } from '../process/privileges.js'
import type { Subject } from './answers.js'
import { ControlSocket } from './controlsocket.js'
import { Metrics } from './metrics.js'

export class Windows {
  readonly #settings: Pick<Settings, 'controlSocket' | 'metrics' | 'user' | 'group' | 'chroot'>
  readonly #subject: Subject
  readonly #log: Log
  #control: ControlSocket | undefined
  #metrics: Metrics | undefined
  #closed = false

  constructor(settings: Settings, subject: Subject, log: Log) {
    this.#settings = settings
    this.#subject = subject
    this.#log = log
  }

  /**
   * @param succeeds whether another server goes on that has both: the name is taken from it, and its port is waited for
   * @throws GaidarosError ERR_GAIDAROS_PROCESS, ERR_GAIDAROS_LISTEN; nothing is open then
   */
  async open(succeeds: boolean): Promise<void> {
    const { controlSocket, metrics } = this.#settings
    try {
      if (controlSocket !== '') this.#control = await this.#openControl(succeeds)
      if (metrics !== '') {
        this.#metrics = new Metrics(this.#subject)
        await this.#metrics.open(metrics, succeeds)
        const { place } = this.#metrics
        this.#log.at('info', 'metrics', {
          url: place === undefined ? 'once the server before has gone' : `http://${place}/metrics`,
        })
      }
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The successor that took the name has failed: it is this server's again. */
  async reclaim(): Promise<void> {
    if (this.#closed || this.#control === undefined || this.#control.isOwn) return
    try {
      const before = this.#control
      this.#control = await this.#openControl(false)
      before.close()
    } catch (error) {
      this.#log.at('error', (error as Error).message)
    }
  }

  close(): void {
    this.#closed = true
    this.#control?.close()
    this.#metrics?.close()
  }

  async #openControl(takeOver: boolean): Promise<ControlSocket> {
    const control = new ControlSocket(this.#subject, this.#log)
    // That user may ask it, besides root.
    const owner = futureOwner(this.#settings)
    await control.open(this.#settings.controlSocket, { takeOver, owner })
    return control
  }
}
