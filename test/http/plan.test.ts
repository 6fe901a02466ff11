// What framer http makes of a handler's plan.

import t from 'tap'
import { type HandlerPlan, planFor, readerOf } from '../../lib/dispatch/plan.js'
import type { RawBuffer } from '../../lib/dispatch/view.js'
import { HTTP_FLAG } from '../../lib/engine/layout.js'
import type { Connection, HandleRequest } from '../../lib/handler/contract.js'
import { type HandlerSettings, resolveHandler } from '../../lib/handler/resolve.js'
import { HttpRequest } from '../../lib/http/request.js'
import { Gaidaros } from '../../lib/server/gaidaros.js'
import { Client } from '../conformance/client.js'
import { until } from '../conformance/deadline.js'
import { expectResponses, failed, ok } from '../conformance/http.js'

const STREAMS = { datagrams: false, messages: false }
const GET = 'GET /path HTTP/1.1\r\nHost: x\r\n\r\n'
const DATE = /Date: [^\r]*\r\n/

const planOf = async (settings: HandlerSettings, kind = STREAMS): Promise<HandlerPlan> =>
  planFor(await resolveHandler({ endRequest: 'http', ...settings }), kind)

/** What the dispatcher is given for one request. */
async function answered(settings: HandlerSettings, text = GET, flags = 0): Promise<unknown> {
  const plan = await planOf(settings)
  const bytes = Buffer.from(text) as RawBuffer
  const request = readerOf(plan)?.(bytes, 0, bytes.length, flags)
  return plan.handleRequest?.(request, undefined as never)
}

const undated = (value: unknown): string => String(value).replace(DATE, '')

void t.test('handlers of requests are given requests', async (t) => {
  const seen: unknown[] = []
  const answer = await answered({ handleRequest: (request: unknown) => void seen.push(request) })
  t.ok(seen[0] instanceof HttpRequest)
  t.equal(undated(answer), 'HTTP/1.1 204 No Content\r\n\r\n')
})

void t.test('a text, its pair and its promise', async (t) => {
  const text = (handleRequest: HandleRequest, flags?: number) =>
    answered({ handleRequest }, GET, flags)
  t.equal(undated(await text(() => 'é')), ok('é'))
  t.equal(undated(await text(async () => 'é')), ok('é'))
  const close = 'Connection: close\r\n'
  for (const pair of [['é', false], Promise.resolve(['é', false]), [Promise.resolve('é'), false]]) {
    const [data, keep] = (await text(() => pair)) as [string, boolean]
    t.equal(undated(data), ok('é', close))
    t.equal(keep, false)
  }
  t.equal(undated(await text(() => ['é', true])), ok('é'))
  // The engine knows of the last one itself.
  t.equal(undated(await text(() => 'é', HTTP_FLAG.last)), ok('é', close))
})

void t.test('keepalive = no is what responses say', async (t) => {
  const plan = await planOf({ handleRequest: () => 'x', keepalive: false })
  t.equal(plan.keepalive, true)
  const [data, keep] = (await answered({ handleRequest: () => 'x', keepalive: false })) as unknown[]
  t.equal(undated(data), ok('x', 'Connection: close\r\n'))
  t.equal(keep, false)
})

void t.test('decode_request is given the bytes, however it is said', async (t) => {
  const decoded = async (decodeRequest: unknown): Promise<string> =>
    undated(await answered({ decodeRequest, handleRequest: String } as HandlerSettings))
  t.equal(await decoded('utf8'), ok(GET))
  t.equal(await decoded((bytes: Buffer) => bytes.length), ok(`${GET.length}`))
  await t.rejects(answered({ decodeRequest: 'json', handleRequest: String }), SyntaxError)
})

void t.test('encode_response makes whole responses', async (t) => {
  const plan = await planOf({
    encodeResponse: (value: unknown) => `${value}`,
    handleRequest: ({ path }: HttpRequest) => ({ path }),
  })
  t.same(
    plan.handleRequest?.(new HttpRequest(Buffer.from(GET)), undefined as never),
    { path: '/path' },
    'what it returns is left to encode_response',
  )
  t.equal(
    readerOf(plan)?.(Buffer.from(GET) as RawBuffer, 0, GET.length, 0) instanceof HttpRequest,
    true,
  )
})

void t.test('who looks at the connection is still known, and who is called what', async (t) => {
  const named = (request: HttpRequest) => request.path
  const seeing = (_: unknown, connection: Connection) => connection.id
  const blind = await planOf({ handleRequest: named })
  t.equal(blind.seesConnection, false)
  t.equal(blind.handleRequest?.name, 'named')
  const plan = await planOf({ handleRequest: seeing })
  t.equal(plan.seesConnection, true)
  const answer = plan.handleRequest?.(new HttpRequest(Buffer.from(GET)), {
    id: '1.2',
  } as Connection)
  t.equal(undated(answer), ok('1.2'))
})

void t.test('without a handler the client is shown what came', async (t) => {
  t.equal(
    undated(await answered({})),
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${GET.length}\r\n\r\n${GET}`,
  )
})

void t.test('other plans stay as they are', async (t) => {
  const others: [HandlerSettings, typeof STREAMS][] = [
    [{ endRequest: 'line', handleRequest: String }, STREAMS],
    [{ handleBatch: () => undefined }, STREAMS],
    [{ splitRequest: (bytes: Buffer) => [bytes, bytes], handleRequest: String }, STREAMS],
    [{ handleRequest: String }, { datagrams: true, messages: false }],
    [{ handleRequest: String }, { datagrams: false, messages: true }],
  ]
  for (const [settings, kind] of others) {
    const plan = await planOf(settings, kind)
    t.equal(plan.apology, undefined)
    t.equal(plan.read, undefined)
    if (settings.handleRequest) t.equal(plan.handleRequest, String)
  }
})

void t.test('the apology has no body for HEAD', async (t) => {
  const { apology } = await planOf({ handleRequest: String })
  t.equal(undated(apology?.(0)), failed())
  t.equal(undated(apology?.(HTTP_FLAG.head)), failed(''))
})

for (const engine of ['native', 'portable'] as const)
  void t.test(`${engine}: handle() answers one request`, async (t) => {
    const server = new Gaidaros({
      host: '127.0.0.1',
      port: 0,
      engine,
      endRequest: 'http',
      handleRequest: ({ path }: HttpRequest) => path,
      log: () => undefined,
    })
    t.teardown(() => server.close())
    const handling = server.handle()
    await until(() => server.addresses.length > 0, 'an address')
    const client = await Client.connect(server.addresses[0]?.port ?? 0)
    client.send(GET)
    await expectResponses(client, ok('/path'))
    client.destroy()
    await handling
  })

for (const engine of ['native', 'portable'] as const)
  void t.test(
    `${engine}: with die_on_error the client is told before the server ends`,
    async (t) => {
      const server = new Gaidaros({
        host: '127.0.0.1',
        port: 0,
        engine,
        endRequest: 'http',
        dieOnError: true,
        handleRequest: () => {
          throw new Error('fatal')
        },
        log: () => undefined,
      })
      t.teardown(() => server.close())
      const [address] = await server.serve()
      const client = await Client.connect(address?.port ?? 0)
      const closed = t.rejects(server.closed, /fatal/)
      client.send(GET)
      await expectResponses(client, failed())
      client.destroy()
      await closed
    },
  )
