// Hono runs unchanged: one application is asked the same on @hono/node-server, over node:http, and on frontend fetch.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request as ask, type OutgoingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { Gaidaros } from '../../dist/index.js'

const APPLICATION = join(import.meta.dirname, 'application.mjs')
const PEER = join(import.meta.dirname, 'peer.mjs')

interface Asked {
  path: string
  method?: string
  headers?: OutgoingHttpHeaders
  body?: string | Buffer
}

const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString()
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const JSON_TYPE = { 'content-type': 'application/json' }
const BOUNDARY = 'a-boundary'
const UPLOAD = [
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="name"\r\n\r\nModestine\r\n`,
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n`,
  `content-type: text/plain\r\n\r\nline é\r\n--${BOUNDARY}--\r\n`,
].join('')
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
const big = 'x'.repeat(300_000)

const QUESTIONS: Asked[] = [
  { path: '/' },
  { path: '/', method: 'HEAD' },
  { path: '/html' },
  { path: '/json' },
  { path: '/json', method: 'HEAD' },
  { path: '/users/platero/posts/12' },
  { path: '/users/Juan%20Ram%C3%B3n/posts/1' },
  { path: '/users/platero/posts/twelve' },
  { path: '/files/a/b.txt' },
  { path: '/query?q=d%C3%B3nkey&tag=a&tag=b' },
  { path: '/query' },
  { path: '/fields', headers: { 'X-Field': 'value', 'User-Agent': 'test' } },
  { path: '/json', method: 'POST', headers: JSON_TYPE, body: '{"a":"é"}' },
  { path: '/json', method: 'POST', headers: JSON_TYPE, body: '{"a":' },
  { path: '/text', method: 'POST', body: 'some é text' },
  { path: '/text', method: 'POST', body: big },
  { path: '/text', method: 'POST' },
  { path: '/form', method: 'POST', headers: FORM, body: form({ a: '1', b: 'é &' }) },
  {
    path: '/upload',
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: UPLOAD,
  },
  { path: '/bytes', method: 'POST', body: Buffer.from([0, 1, 254, 255]) },
  { path: '/body', method: 'POST', body: 'as a stream' },
  { path: '/put', method: 'PUT', body: 'x' },
  { path: '/override', method: 'POST', headers: FORM, body: form({ _method: 'DELETE' }) },
  { path: '/override', method: 'POST', headers: FORM, body: form({}) },
  { path: '/cors/a', headers: { origin: 'http://example.com' } },
  {
    path: '/cors/a',
    method: 'OPTIONS',
    headers: { origin: 'http://example.com', 'access-control-request-method': 'POST' },
  },
  { path: '/compressed/a', headers: { 'accept-encoding': 'gzip' } },
  { path: '/compressed/a', headers: { 'accept-encoding': 'deflate' } },
  { path: '/compressed/a' },
  { path: '/etag/a' },
  { path: '/etag/a', headers: { 'if-none-match': '*' } },
  { path: '/auth/a' },
  { path: '/auth/a', headers: basic('platero:no') },
  { path: '/auth/a', headers: basic('platero:y yo') },
  { path: '/stream' },
  { path: '/events' },
  { path: '/moved' },
  { path: '/cookies', headers: { cookie: 'c=3; d=%C3%A9' } },
  { path: '/status/204' },
  { path: '/status/304' },
  { path: '/status/404' },
  { path: '/teapot' },
  { path: '/throw' },
  { path: '/url' },
  { path: '/url/../raw' },
  { path: '/raw' },
  { path: '/any', method: 'PATCH', body: 'x' },
  { path: '/any', method: 'PROPFIND' },
  { path: '/nowhere' },
]

/** What is the server's, and not the application's. Chunks are how node:http sends what it knows no length of. */
const SERVERS = ['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length']

interface Answer {
  status: number | undefined
  message: string | undefined
  fields: [string, string | string[] | undefined][]
  body: string
  /** Content-Length. */
  length: string | undefined
}

function answerOf(
  port: number,
  { path, method = 'GET', headers = {}, body }: Asked,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const host = { host: 'example.com' }
    const options = { port, path, method, headers: { ...host, ...length, ...headers } }
    const sent = ask(options, async (response) => {
      const pieces: Buffer[] = []
      for await (const piece of response) pieces.push(piece as Buffer)
      const fields = Object.entries(response.headers)
        .filter(([name]) => !SERVERS.includes(name))
        .sort(([a], [b]) => (a < b ? -1 : 1))
      const { statusCode: status, statusMessage: message } = response
      const whole = Buffer.concat(pieces).toString('latin1')
      const { 'content-length': length } = response.headers
      resolve({ status, message, fields, body: whole, length })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

async function startPeer(): Promise<{ peer: ChildProcess; port: number }> {
  const peer = spawn(process.execPath, [PEER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(peer.stdout as NodeJS.ReadableStream), 'line')) as [
    string,
  ]
  return { peer, port: Number(line) }
}

const { peer, port: theirs } = await startPeer()
t.teardown(() => void peer.kill())

for (const handlerType of ['', 'gthread', 'threadpool', 'procpool'] as const)
  void t.test(`Hono, handler_type "${handlerType}"`, async (t) => {
    const lines: string[] = []
    await using server = new Gaidaros({
      frontend: 'fetch',
      host: '127.0.0.1',
      port: 0,
      handlerModule: APPLICATION,
      handlerType,
      handlerPoolSize: 2,
      log: (line) => void lines.push(line),
    })
    const [address] = await server.serve()
    for (const question of QUESTIONS) {
      const name = `${question.method ?? 'GET'} ${question.path}`
      const { length: theirLength, ...wanted } = await answerOf(theirs, question)
      const { length, ...got } = await answerOf(address?.port ?? 0, question)
      t.same(got, wanted, name)
      // What they know the length of, we do.
      if (theirLength !== undefined) t.equal(length, theirLength, `length of ${name}`)
    }
    t.same(
      lines.filter((line) => line.includes('handler_error')),
      [],
      'no error of the handler',
    )
  })
