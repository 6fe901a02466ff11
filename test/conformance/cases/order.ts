// Responses leave a connection in the order of its requests, whatever answers first.

import type { Cases } from '../case.js'
import { until } from '../deadline.js'

/** Answers request "name\n" when settle(name) is called, with the text given. */
function byName() {
  const waiting = new Map<string, (reply: unknown) => void>()
  return {
    handleRequest: (request: Buffer) => {
      const name = request.toString().trim()
      if (name === 'sync') return 'sync\n'
      return new Promise((resolve) => waiting.set(name, resolve))
    },
    arrived: (...names: string[]) =>
      until(() => names.every((name) => waiting.has(name)), `requests ${names}`),
    settle: (name: string, ...reply: unknown[]) =>
      waiting.get(name)?.(reply.length > 0 ? reply[0] : `${name}\n`),
  }
}

async function* pieces(...list: string[]): AsyncGenerator<string> {
  for (const piece of list) {
    await new Promise(setImmediate)
    yield piece
  }
}

export const order: Cases = {
  'answers in reverse are sent in order': async (_t, ctx) => {
    const gate = byName()
    const served = await ctx.serve({ handleRequest: gate.handleRequest })
    const client = await served.connect()
    client.send('a\nb\nc\n')
    await gate.arrived('a', 'b', 'c')
    for (const name of ['c', 'b', 'a']) gate.settle(name)
    await client.expect('a\nb\nc\n')
  },

  'a synchronous answer waits for a late one before it': async (t, ctx) => {
    const gate = byName()
    const served = await ctx.serve({ handleRequest: gate.handleRequest })
    const [client, other] = await served.connectMany(2)
    client?.send('a\nsync\n')
    await gate.arrived('a')
    await other?.ask('sync\n')
    t.equal(client?.pending, 0, 'nothing overtakes')
    gate.settle('a')
    await client?.expect('a\nsync\n')
  },

  'late answers that are ready go out before later ones are': async (_t, ctx) => {
    const gate = byName()
    const served = await ctx.serve({ handleRequest: gate.handleRequest })
    const client = await served.connect()
    client.send('a\nb\n')
    await gate.arrived('a', 'b')
    gate.settle('a')
    await client.expect('a\n')
    gate.settle('b')
    await client.expect('b\n')
  },

  'a request without an answer does not block those behind it': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => (r[0] === 45 ? undefined : r),
    })
    const client = await served.connect()
    await client.ask('-a\nb\n-c\n-d\ne\n', 'b\ne\n')
  },

  'a late undefined does not block those behind it': async (_t, ctx) => {
    const gate = byName()
    const served = await ctx.serve({ handleRequest: gate.handleRequest })
    const client = await served.connect()
    client.send('a\nsync\n')
    await gate.arrived('a')
    gate.settle('a', undefined)
    await client.expect('sync\n')
  },

  'a stream between plain replies': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => (r.includes('stream') ? pieces('s1 ', 's2 ', 's3\n') : r),
    })
    const client = await served.connect()
    await client.ask('a\nstream\nb\n', 'a\ns1 s2 s3\nb\n')
  },

  'two streams do not interleave': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => pieces(...`${r}${r}${r}`.replaceAll('\n', ' ').split(/(?= )/)),
    })
    const client = await served.connect()
    await client.ask('a\nb\n', 'a a a b b b ')
  },

  'a promise of a stream keeps its place': async (_t, ctx) => {
    const gate = byName()
    const served = await ctx.serve({ handleRequest: gate.handleRequest })
    const client = await served.connect()
    client.send('a\nb\nsync\n')
    await gate.arrived('a', 'b')
    gate.settle('b')
    gate.settle('a', pieces('1', '2', '3\n'))
    await client.expect('123\nb\nsync\n')
  },

  'a large answer that is early is held whole': async (_t, ctx) => {
    const gate = byName()
    const served = await ctx.serve({ handleRequest: gate.handleRequest })
    const client = await served.connect()
    const large = 'L'.repeat(300_000)
    client.send('a\nb\n')
    await gate.arrived('a', 'b')
    gate.settle('b', large)
    gate.settle('a')
    await client.expect(`a\n${large}`)
  },

  'connection.write goes out while a request waits': async (_t, ctx) => {
    const gate = byName()
    const served = await ctx.serve({
      handleRequest: (request: Buffer, connection: { write(data: string): boolean }) => {
        connection.write('wait… ')
        return gate.handleRequest(request)
      },
    })
    const client = await served.connect()
    client.send('a\n')
    await client.expect('wait… ')
    gate.settle('a')
    await client.expect('a\n')
  },

  'random delays on many connections': async (_t, ctx) => {
    const served = await ctx.serve({
      handleRequest: async (request: Buffer) => {
        for (let i = (request.length * 7) % 5; i > 0; i--) await new Promise(setImmediate)
        return request
      },
    })
    const clients = await served.connectMany(20)
    const text = Array.from({ length: 50 }, (_, i) => `${'x'.repeat((i * 13) % 17)}${i}\n`).join('')
    await Promise.all(clients.map((client) => client.ask(text)))
  },

  'replies of all kinds in one pipeline': async (_t, ctx) => {
    const kinds = (request: Buffer): unknown => {
      switch (request.toString().trim()) {
        case 'same':
          return request
        case 'slice':
          return request.subarray(1, 3)
        case 'text':
          return 'text;'
        case 'new':
          return Buffer.from('new;')
        case 'late':
          return new Promise((resolve) => setImmediate(() => resolve('late;')))
        case 'stream':
          return pieces('str', 'eam;')
        case 'pair':
          return ['pair;', true]
        default:
          return undefined
      }
    }
    const served = await ctx.serve({ handleRequest: kinds })
    const client = await served.connect()
    const names = [
      'same',
      'slice',
      'text',
      'late',
      'new',
      'none',
      'stream',
      'pair',
      'late',
      'same',
      'text',
    ]
    const answers = 'same\nlitext;late;new;stream;pair;late;same\ntext;'
    for (let round = 0; round < 20; round++) await client.ask(`${names.join('\n')}\n`, answers)
  },
}
