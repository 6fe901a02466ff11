// handler_type gthreadpool: places are for requests whose answer somebody can still get.

import t from 'tap'
import type { Connection } from '../../lib/handler/contract.js'
import { Gaidaros } from '../../lib/server/gaidaros.js'
import { Client } from '../conformance/client.js'
import { PATIENT, until } from '../conformance/deadline.js'

const ENGINES = ['native', 'portable'] as const

for (const engine of ENGINES) {
  const serving = async (handleRequest: (r: Buffer, c: Connection) => unknown, more = {}) => {
    const server = new Gaidaros({
      host: '127.0.0.1',
      port: 0,
      engine,
      handlerType: 'gthreadpool',
      handlerPoolSize: 1,
      shutdownGrace: '100ms',
      log: () => undefined,
      handleRequest,
      ...more,
    })
    const [address] = await server.serve()
    return { server, connect: () => Client.connect(address?.port ?? 0) }
  }

  void t.test(`${engine}: a place is given back when its connection is gone`, async (t) => {
    const begun: string[] = []
    const { server, connect } = await serving((request: Buffer) => {
      begun.push(String(request).trim())
      return request.includes('never') ? new Promise(() => undefined) : request
    })
    t.teardown(() => server.close())
    for (let round = 0; round < 3; round++) {
      const never = await connect()
      never.send(`never ${round}\n`)
      await until(() => begun.includes(`never ${round}`), 'the request')
      const next = await connect()
      next.send(`next ${round}\n`)
      await until(() => server.stats().requests === round * 2 + 2, 'both requests')
      t.notOk(begun.includes(`next ${round}`), 'one at once')
      never.reset()
      await next.expect(`next ${round}\n`)
      next.destroy()
    }
  })

  void t.test(`${engine}: who leaves the queue is not handled, and keeps nobody up`, async (t) => {
    const begun: string[] = []
    let answer: (() => void) | undefined
    const { server, connect } = await serving((request: Buffer) => {
      begun.push(String(request).trim())
      if (!request.includes('gate')) return request
      return new Promise((resolve) => {
        answer = () => resolve(request)
      })
    })
    t.teardown(() => server.close())
    const first = await connect()
    first.send('gate\n')
    await until(() => answer !== undefined, 'the first request')
    const leaves = await connect()
    leaves.send('leaves a\nleaves b\n')
    await until(() => server.stats().requests === 3, 'its requests')
    const last = await connect()
    last.send('last\n')
    await until(() => server.stats().requests === 4, 'the last request')
    leaves.reset()
    await until(() => server.stats().active === 2, 'its end')
    answer?.()
    await first.expect('gate\n')
    await last.expect('last\n')
    t.strictSame(begun, ['gate', 'last'])
    for (const client of [first, last]) client.destroy()
  })

  void t.test(`${engine}: a place is given back after handler_timeout, and told so`, async (t) => {
    let aborted = 0
    const { server, connect } = await serving(
      (request: Buffer, connection: Connection) => {
        if (!request.includes('never')) return request
        connection.signal.addEventListener('abort', () => void aborted++)
        return new Promise(() => undefined)
      },
      { handlerTimeout: PATIENT },
    )
    t.teardown(() => server.close())
    const never = await connect()
    never.send('never\n')
    await never.expectEnd()
    const next = await connect()
    await next.ask('next\n')
    t.equal(aborted, 1)
    next.destroy()
  })
}
