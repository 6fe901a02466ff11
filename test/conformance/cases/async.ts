// Answers that come later: promises of every making, and what happens to their connections meanwhile.

import type { Connection } from '../../../lib/handler/contract.js'
import type { Case, Cases } from '../case.js'
import { tick, until } from '../deadline.js'

/** A request is answered by what the handler promised. */
function answers(handleRequest: (r: Buffer, c: Connection) => unknown, reply: string): Case {
  return async (_t, ctx) => {
    const served = await ctx.serve({ handleRequest })
    const client = await served.connect()
    for (let i = 0; i < 3; i++) await client.ask('ask\n', reply)
  }
}

export const asynchronous: Cases = {
  'a promise that is already settled': answers((r) => Promise.resolve(r), 'ask\n'),
  'an async function': answers(async (r) => r, 'ask\n'),
  'after setImmediate': answers(async (r) => {
    await new Promise(setImmediate)
    return r
  }, 'ask\n'),
  'after a timer': answers(async (r) => {
    await tick(3)
    return r
  }, 'ask\n'),
  'after process.nextTick': answers(
    (r) => new Promise((resolve) => process.nextTick(resolve, r)),
    'ask\n',
  ),
  'a thenable that is no Promise': answers(
    // biome-ignore lint/suspicious/noThenProperty: that is the subject
    (r) => ({ then: (resolve: (v: unknown) => void) => setImmediate(resolve, r) }),
    'ask\n',
  ),
  'a promise of a string': answers(async () => 'text', 'text'),
  'a promise of a Uint8Array': answers(async () => Uint8Array.of(104, 105), 'hi'),
  'a promise of an ArrayBuffer': answers(async () => Uint8Array.of(104, 105).buffer, 'hi'),

  'a promise of undefined is no answer': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: async (r: Buffer) => (r.includes('no') ? undefined : r),
    })
    const client = await served.connect()
    await client.ask('no\nyes\n', 'yes\n')
  },

  'a thousand in flight over fifty connections': async (t, ctx) => {
    const gates: (() => void)[] = []
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => new Promise((resolve) => gates.push(() => resolve(r))),
    })
    const clients = await served.connectMany(50)
    const text = Array.from({ length: 20 }, (_, i) => `${i}\n`).join('')
    for (const client of clients) client.send(text)
    await until(() => gates.length === 1000, '1000 in flight')
    for (const open of gates.sort(() => Math.random() - 0.5)) open()
    await Promise.all(clients.map((client) => client.expect(text)))
    t.equal((await served.stats()).replies, 1000)
  },

  'a slow answer does not delay another connection': async (_t, ctx) => {
    let answer: (() => void) | undefined
    const served = await ctx.serve({
      handleRequest: (r: Buffer) =>
        r.includes('slow') ? new Promise((resolve) => (answer = () => resolve(r))) : r,
    })
    const [slow, quick] = await served.connectMany(2)
    slow?.send('slow\n')
    for (let i = 0; i < 20; i++) await quick?.ask('quick\n')
    answer?.()
    await slow?.expect('slow\n')
  },

  'the request’s bytes are intact when the answer comes': async (_t, ctx) => {
    let answer: (() => void) | undefined
    const served = await ctx.serve({
      handleRequest: (r: Buffer) =>
        r.includes('keep me') ? new Promise((resolve) => (answer = () => resolve(r))) : r,
    })
    const [slow, quick] = await served.connectMany(2)
    slow?.send('keep me\n')
    const noise = `${'noise'.repeat(200)}\n`.repeat(200)
    for (let i = 0; i < 10; i++) await quick?.ask(noise)
    answer?.()
    await slow?.expect('keep me\n')
  },

  'answers after connection.end() was called still leave': async (_t, ctx) => {
    let answer: (() => void) | undefined
    const served = await ctx.serve({
      handleRequest: (r: Buffer, connection: Connection) =>
        new Promise((resolve) => {
          answer = () => {
            connection.end()
            setImmediate(resolve, r)
          }
        }),
    })
    const client = await served.connect()
    client.send('a\n')
    await until(() => answer !== undefined, 'the request')
    answer?.()
    await client.expect('a\n')
    await client.expectEnd('fin')
  },

  'answers of many connections that leave meanwhile': async (t, ctx) => {
    const gates: (() => void)[] = []
    const served = await ctx.serve({
      handleRequest: (r: Buffer) =>
        r.includes('stay') ? r : new Promise((resolve) => gates.push(() => resolve(r))),
    })
    const good = await served.connect()
    const leaving = await served.connectMany(60)
    for (const client of leaving) client.send('a\nb\nc\n')
    await until(() => gates.length === 180, '180 in flight')
    for (const [i, client] of leaving.entries()) {
      if (i % 3 === 0) client.reset()
      else if (i % 3 === 1) client.destroy()
      else client.finish()
    }
    for (const open of gates) open()
    await served.reachActive(1)
    await good.ask('stay\n')
    t.notOk(
      served.lines.some((line) => /handler_error/.test(line)),
      'no error is logged',
    )
  },

  'an abandoned promise keeps nobody from closing': async (_t, ctx) => {
    const served = await ctx.serve({ handleRequest: () => new Promise(() => {}) })
    const client = await served.connect()
    client.send('a\n')
    await served.reach((s) => s.requests === 1, 'the request')
    client.reset()
    await served.reachActive(0)
  },

  'the signal is aborted when the peer resets': async (_t, ctx) => {
    let aborted = false
    const served = await ctx.serve({
      handleRequest: (_r: Buffer, { signal }: Connection) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = true
          })
        }),
    })
    const client = await served.connect()
    client.send('a\n')
    await served.reach((s) => s.requests === 1, 'the request')
    client.reset()
    await until(() => aborted, 'the abort event')
  },
}
