// A CPU profile of this process's main thread, as V8 takes it: one at a time, written where the tools of Chrome and
// of VS Code open it.

import { accessSync, closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { type Profiler as Protocol, Session } from 'node:inspector'
import { join } from 'node:path'

export class Profiler {
  #session: Session | undefined

  /** @throws Error when one is being taken */
  async start(): Promise<void> {
    if (this.#session !== undefined) throw new Error('a profile is being taken already')
    const session = new Session()
    this.#session = session
    try {
      session.connect()
      await post(session, 'Profiler.enable')
      await post(session, 'Profiler.start')
    } catch (error) {
      this.#end()
      throw error
    }
  }

  /**
   * @param folders the first that can be written to gets the file
   * @returns its path; its mode is 0600
   * @throws Error when none is being taken, or no folder takes it
   */
  async stop(folders: readonly string[]): Promise<string> {
    const session = this.#session
    if (session === undefined) throw new Error('no profile is being taken')
    try {
      const { profile } = await post(session, 'Profiler.stop')
      return write(folders, JSON.stringify(profile))
    } finally {
      this.#end()
    }
  }

  #end(): void {
    this.#session?.disconnect()
    this.#session = undefined
  }
}

function post(session: Session, method: string): Promise<Protocol.StopReturnType> {
  return new Promise((resolve, reject) => {
    session.post(method, (error, result) => {
      if (error) reject(error)
      else resolve(result as Protocol.StopReturnType)
    })
  })
}

function write(folders: readonly string[], text: string): string {
  const time = new Date().toISOString().replace(/[:.]/g, '-')
  const name = `gaidaros-${process.pid}-${time}.cpuprofile`
  const folder = folders.find(isWritable)
  if (folder === undefined) throw new Error(`no folder to write to: ${folders.join(', ')}`)
  const path = join(folder, name)
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    writeFileSync(fd, text)
  } finally {
    closeSync(fd)
  }
  return path
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}
