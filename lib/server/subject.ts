// A server as its control socket and its metrics see it.

import { tmpdir } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { Subject } from '../control/answers.js'
import { endpoint } from '../engine/endpoint.js'
import type { Logs } from '../log/logs.js'
import type { Resolved, Settings } from '../options/index.js'
import { version } from '../version.js'
import type { Backend } from './backend.js'
import type { Supervisor } from './pool/supervisor.js'
import { noStats } from './stats.js'

/** new: not yet serving; closed: for good. */
export type State = 'new' | 'starting' | 'serving' | 'closing' | 'closed'

/** A server at this moment. */
export interface Present extends Pick<Resolved, 'settings' | 'origins'> {
  state: State
  /** By performance.now(); 0: it does not serve yet. */
  startedAt: number
  backend: Backend | undefined
  supervisor: Pick<Supervisor, 'grow' | 'shrink'> | undefined
  logs: Logs | undefined
}

const LIFE = {
  new: 'starting',
  starting: 'starting',
  serving: 'serving',
  closing: 'stopping',
  closed: 'stopping',
} as const satisfies Record<State, string>

/** @param base where the command was given; @param now asked anew for each answer */
export function subjectOf(base: string, now: () => Present): Subject {
  return {
    identity: () => {
      const { state, startedAt, settings, backend } = now()
      const { engine, addresses = [] } = backend ?? {}
      return {
        pid: process.pid,
        version: version(),
        state: LIFE[state],
        started: startedAt === 0 ? 0 : (performance.timeOrigin + startedAt) / 1000,
        uptime: startedAt === 0 ? 0 : (performance.now() - startedAt) / 1000,
        server_type: String(settings.serverType),
        engine: engine ? `${engine.name}, ${engine.description}` : '',
        addresses: addresses.map(endpoint),
      }
    },
    inspect: async (question) =>
      (await now().backend?.inspect(question)) ?? { processes: [], departed: noStats() },
    reloadCertificates: async () => (await now().backend?.reloadCertificates()) ?? [],
    resize: (how) => now().supervisor?.[how](),
    options: now,
    folders: () => foldersOf(now().settings, base),
    dropped: () => now().logs?.dropped() ?? 0,
  }
}

/** Where the log is, where the command was given, and what the system has for everybody. */
function foldersOf({ logFile }: Settings, base: string): string[] {
  const isFile = logFile !== '' && logFile !== '-'
  const folders = [...(isFile ? [dirname(resolve(logFile))] : []), base, tmpdir()]
  return folders.filter((folder) => folder !== '/')
}
