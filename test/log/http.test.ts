// The access log of HTTP: a request whose handler has failed is told as failed, with the bytes that its client got.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { temporary } from '../cli/command.js'
import { unavailable } from '../conformance/available.js'
import { failed, ok } from '../conformance/http.js'
import { refuse, VARIANTS } from '../conformance/variant.js'
import { type Start, startOn, told } from './served.js'

t.setTimeout(300_000)

const HANDLER = `export const endRequest = 'http'
const answer = (path) => {
  if (path.includes('bad')) throw new Error('no')
  return path
}
export const handleRequest = ({ path }) =>
  path.includes('late') ? new Promise((resolve) => setImmediate(resolve)).then(() => answer(path)) : answer(path)
`
const DATE = 'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n'.length
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const line = (request: number, path: string) => [
  request,
  get(path).length,
  ok(path).length + DATE,
  'ok',
]

async function failing(t: Test, start: Start, handlerType: string, path: string): Promise<void> {
  const handlerModule = join(temporary(t), 'handler.mjs')
  writeFileSync(handlerModule, HANDLER)
  const { ask, ended, requests, closes } = await start(t, {
    handlerModule,
    handlerType,
    ...(handlerType.endsWith('pool') && { handlerPoolSize: 2 }),
  } as never)
  const answer = await ask(get('/1') + get('/late') + get('/3') + get(path))
  t.match(
    answer,
    /\/1HTTP.*\r\n\/lateHTTP.*\r\n\/3HTTP\/1\.1 500 .*\r\n500 Internal Server Error\n$/s,
  )
  await ended()
  t.strictSame(told(requests()), [
    line(0, '/1'),
    line(1, '/late'),
    line(2, '/3'),
    [3, get(path).length, failed().length + DATE, 'failed'],
  ])
  const out = requests().reduce((sum, request) => sum + Number(request['out']), 0)
  t.match(closes(), [{ reason: 'done', requests: 4, out }])
  t.equal(Buffer.byteLength(answer), out)
}

for (const variant of [VARIANTS.edge, VARIANTS.completion, VARIANTS.portable])
  void t.test(variant.name, async (t) => {
    const reason = await unavailable(variant)
    if (reason !== undefined) return refuse(t, reason)
    for (const type of ['', 'gthread', 'threadpool', 'procpool'])
      for (const path of ['/bad', '/latebad'])
        await t.test(`${type || 'in the loop'}: ${path}`, async (t) =>
          failing(t, startOn(variant), type, path),
        )
  })
