// Talking to the service manager, sd_notify(3): ready, reloading, stopping, status, watchdog. The socket is opened
// at the start, while it can be reached whatever user and root directory the process has later.

import { spawn } from 'node:child_process'
import { writeSync } from 'node:fs'
import { native } from '../native.js'

type Environment = Record<string, string | undefined>
type Send = (text: string) => void

/** Variables that are for this process alone. */
const OWN = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']

/** Line ends would make two assignments of one. */
const oneLine = (text: string): string => text.replace(/[\r\n]+/g, ' ')

/**
 * Tells the service manager; does nothing where there is none.
 *
 * @example
 * const notifier = Notifier.take(process.env)
 * notifier.ready('serving on 127.0.0.1:8080')
 */
export class Notifier {
  readonly #send: Send | undefined
  readonly #watchdogMs: number
  #watchdog: NodeJS.Timeout | undefined

  private constructor(send: Send | undefined, watchdogMs: number) {
    this.#send = send
    this.#watchdogMs = watchdogMs
  }

  /**
   * Reads NOTIFY_SOCKET and WATCHDOG_USEC, and removes them: programs that the server starts must not speak for it.
   * @param complain gets one line when the socket cannot be reached
   */
  static take(environment: Environment, complain: (line: string) => void = () => {}): Notifier {
    const [socket, usec, pid] = OWN.map((name) => environment[name])
    for (const name of OWN) delete environment[name]
    const send = socket ? sender(socket, complain) : undefined
    const mine = pid === undefined || pid === '' || Number(pid) === process.pid
    return new Notifier(send, mine && Number(usec) > 0 ? Number(usec) / 1000 : 0)
  }

  /** Somebody listens. */
  get active(): boolean {
    return this.#send !== undefined
  }

  /** Serving. From here on the watchdog is fed at twice the rate that it asks for. */
  ready(status: string): void {
    this.#send?.(`READY=1\nMAINPID=${process.pid}\nSTATUS=${oneLine(status)}`)
    if (this.#send === undefined || this.#watchdogMs === 0 || this.#watchdog !== undefined) return
    // As a timer of the loop it says what the watchdog asks: that the loop turns.
    this.#watchdog = setInterval(() => this.#send?.('WATCHDOG=1'), this.#watchdogMs / 2)
    this.#watchdog.unref()
  }

  /** A reload begins; ready() ends it. */
  reloading(): void {
    const usec = process.hrtime.bigint() / 1000n // CLOCK_MONOTONIC, as systemd wants it
    this.#send?.(`RELOADING=1\nMONOTONIC_USEC=${usec}`)
  }

  /** The end begins. */
  stopping(status: string): void {
    this.#send?.(`STOPPING=1\nSTATUS=${oneLine(status)}`)
    clearInterval(this.#watchdog)
  }

  /** One line for `systemctl status`. */
  status(text: string): void {
    this.#send?.(`STATUS=${oneLine(text)}`)
  }

  /** Another process is the service's main process from now on, after an upgrade. */
  mainPid(pid: number): void {
    this.#send?.(`MAINPID=${pid}`)
  }
}

function sender(socket: string, complain: (line: string) => void): Send | undefined {
  if (native === undefined) return byProgram(socket)
  let fd: number
  try {
    fd = native.connectNotify(socket)
  } catch (error) {
    complain(`NOTIFY_SOCKET ${socket} cannot be reached: ${(error as Error).message}`)
    return undefined
  }
  return (text) => {
    try {
      writeSync(fd, text)
    } catch (error) {
      complain(`NOTIFY_SOCKET ${socket}: ${(error as Error).message}`)
    }
  }
}

/** systemd's own program speaks for us, where it is installed and the unit has NotifyAccess=all. */
function byProgram(socket: string): Send {
  return (text) => {
    const options = { env: { ...process.env, NOTIFY_SOCKET: socket }, stdio: 'ignore' } as const
    const child = spawn('systemd-notify', text.split('\n'), options)
    child.on('error', () => undefined) // not installed: nobody can be told
    child.unref()
  }
}
