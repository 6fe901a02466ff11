// The counters: exact where traffic is known, consistent everywhere.

import { percentile } from '../../../lib/engine/distribution.js'
import { REASONS } from '../../../lib/engine/reasons.js'
import type { Cases, Context } from '../case.js'

/** Green threads of the portable engine, whose promises Node runs behind a turn. */
const isBehindTurns = ({ variant: { engine, options } }: Context): boolean =>
  engine === 'portable' && String(options['handlerType']).startsWith('gthread')

const sum = (numbers: Record<string, number>): number =>
  Object.values(numbers).reduce((a, b) => a + b, 0)

export const statistics: Cases = {
  'start at nothing and name every reason': async (t, ctx) => {
    const served = await ctx.serve()
    const stats = await served.stats()
    for (const name of [
      'accepted',
      'active',
      'requests',
      'replies',
      'bytes_in',
      'bytes_out',
    ] as const) {
      t.equal(stats[name], 0, name)
    }
    t.same(Object.keys(stats.closed).sort(), [...REASONS].sort())
    t.equal(sum(stats.closed), 0)
  },

  'count connections, requests, replies and bytes': async (t, ctx) => {
    const served = await ctx.serve({
      handleRequest: (r: Buffer) => (r.includes('none') ? undefined : 'reply\n'),
    })
    const [one, two] = await served.connectMany(2)
    await one?.ask('a\nnone\nb\n', 'reply\nreply\n')
    await two?.ask('c\n', 'reply\n')
    await served.reach((s) => s.bytes_out === 18, '18 bytes out')
    const stats = await served.stats()
    t.equal(stats.accepted, 2)
    t.equal(stats.active, 2)
    t.equal(stats.requests, 4)
    t.equal(stats.bytes_in, 11)
  },

  'every request is counted as answered, with or without bytes': async (t, ctx) => {
    const served = await ctx.serve({
      handleRequest: async (r: Buffer) => (r.includes('none') ? undefined : r),
    })
    const client = await served.connect()
    await client.ask('none\nx\nnone\ny\n', 'x\ny\n')
    t.equal((await served.stats()).requests, 4)
    t.ok((await served.stats()).replies >= 2 && (await served.stats()).replies <= 4)
  },

  'closed by reason adds up to accepted less active': async (t, ctx) => {
    const served = await ctx.serve({
      maxFrameSize: 100,
      handleRequest: (r: Buffer) => (r.includes('bye') ? [r, false] : r),
    })
    const clients = await served.connectMany(8)
    for (const client of clients) await client.ask('a\n')
    clients[0]?.finish()
    clients[1]?.reset()
    clients[2]?.send('x'.repeat(200))
    clients[3]?.finish('bye\n')
    clients[4]?.destroy()
    await served.reachActive(3)
    const { accepted, active, closed } = await served.stats()
    t.equal(sum(closed), accepted - active)
    t.equal(closed.end + closed.reset + closed.done + closed.tls_truncated, 4)
    t.equal(closed.frame_size, 1)
  },

  'batches are at most records, turns are counted': async (t, ctx) => {
    const served = await ctx.serve()
    const clients = await served.connectMany(10)
    for (let i = 0; i < 20; i++) await Promise.all(clients.map((c) => c.ask('a\nb\nc\n')))
    const { batches, records, turns, requests } = await served.stats()
    t.equal(requests, 600)
    t.ok(records >= 600)
    t.ok(batches > 0 && batches <= records, `${batches} batches of ${records} records`)
    t.ok(turns > 0)
  },

  'requests that come together cross together': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask('line\n'.repeat(3000))
    const { batches, requests } = await served.stats()
    t.equal(requests, 3000)
    t.ok(batches < 1000, `3000 requests in ${batches} crossings`)
  },

  'system calls are counted by kind': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    for (let i = 0; i < 20; i++) await client.ask('a\n')
    const { syscalls } = await served.stats()
    if (ctx.variant.engine === 'portable') return void t.same(syscalls, {})
    t.ok(sum(syscalls) > 0, JSON.stringify(syscalls))
    if (ctx.variant.options['pollingType'] === 'completion') {
      t.ok(!(syscalls['recv'] ?? 0), 'no recv on completion')
    }
  },

  'every request that is answered in its turn is timed': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    for (let i = 0; i < 50; i++) await client.ask('a\nb\n')
    const { latency, lag, requests, batches } = await served.stats()
    t.equal(sum(latency.buckets), latency.count, 'buckets hold all')
    t.equal(sum(lag.buckets), lag.count)
    t.ok(latency.max_us > 0 && latency.sum_us >= latency.max_us)
    // Those that are answered behind it are timed by samples.
    if (ctx.variant.sent || isBehindTurns(ctx))
      return void t.ok(latency.count > 0 && latency.count <= requests)
    t.equal(latency.count, requests)
    t.ok(lag.count >= batches, `${lag.count} times of ${batches} batches`)
  },

  'late answers are timed by samples that stand for all': async (t, ctx) => {
    const served = await ctx.serve({
      maxPipelined: 0,
      handleRequest: async (r: Buffer) => {
        await new Promise((done) => setTimeout(done, 30))
        return r
      },
    })
    const client = await served.connect()
    await client.ask('line\n'.repeat(300))
    // Of one connection one request at a time is timed; this one stands for those since.
    await client.ask('line\n')
    const { latency } = await served.stats()
    t.equal(latency.count, 301)
    t.ok(percentile(latency, 0.5) > 25_000, `p50 ${percentile(latency, 0.5)} µs`)
    t.ok(latency.max_us > 25_000)
  },

  'what takes a turn too long is said with handler, time and connection': async (t, ctx) => {
    const served = await ctx.serve({
      stallWarning: '40ms',
      handleRequest: (r: Buffer) => {
        const end = performance.now() + (r.includes('slow') ? 80 : 0)
        while (performance.now() < end);
        return r
      },
    })
    const client = await served.connect()
    await client.ask('quick\nslow\n')
    const line = await served.logged(/stalled: a turn of the handler/)
    const ms = Number(/ms=([\d.]+)/.exec(line)?.[1])
    t.ok(ms >= 80 && ms < 60_000, line)
    t.match(line, /in=handle_request requests=[12] connection=\d+\.\d+/)
    // A worker may not know its peer; then it says nothing of it.
    if (!ctx.variant.sent || line.includes('remote='))
      t.match(line, /remote=(?:127\.0\.0\.1|\[::1\]):\d/)
    t.match(line, /handler=\S*handleRequest/)
  },

  'dropped frames are counted': async (t, ctx) => {
    const served = await ctx.serve()
    for (let i = 0; i < 3; i++) {
      const client = await served.connect()
      client.finish('half')
      await client.expectEnd('fin')
    }
    await served.reachClosed('end', 3)
    t.equal((await served.stats()).dropped_frames, 3)
  },

  'are still there after close()': async (t, ctx) => {
    const served = await ctx.serve()
    const client = await served.connect()
    await client.ask('a\n')
    await served.server.close()
    const stats = await served.stats()
    t.equal(stats.requests, 1)
    t.equal(stats.active, 0)
    t.equal(sum(stats.closed), 1)
  },

  'bytes that were not sent are not counted': async (t, ctx) => {
    const size = 24 * 1024 * 1024
    const served = await ctx.serve({ handleRequest: () => Buffer.alloc(size) })
    const client = await served.connect()
    client.send('a\n')
    await client.take(1000)
    client.stop()
    client.reset()
    await served.reachActive(0)
    t.ok((await served.stats()).bytes_out < size, `${(await served.stats()).bytes_out} of ${size}`)
  },
}
