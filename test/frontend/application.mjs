// A Hono application that uses much of the framework; served by @hono/node-server and by frontend fetch alike.

import { Hono } from 'hono'
import { basicAuth } from 'hono/basic-auth'
import { compress } from 'hono/compress'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { HTTPException } from 'hono/http-exception'
import { methodOverride } from 'hono/method-override'
import { streamSSE, streamText } from 'hono/streaming'

const app = new Hono()

app.use('/cors/*', cors({ origin: 'http://example.com', allowMethods: ['GET', 'POST'] }))
app.use('/compressed/*', compress())
app.use('/etag/*', etag())
app.use('/auth/*', basicAuth({ username: 'platero', password: 'y yo' }))
app.use('/override', methodOverride({ app }))
app.use('*', async (c, next) => {
  await next()
  c.header('x-served', 'yes')
})

app.get('/', (c) => c.text('Hello, World!'))
app.get('/html', (c) => c.html('<p>é</p>'))
app.get('/json', (c) => c.json({ a: [1, 'é', null] }, 201, { 'x-y': 'z' }))
app.get('/users/:name/posts/:id{[0-9]+}', (c) => c.json(c.req.param()))
app.get('/files/*', (c) => c.text(c.req.path))
app.get('/query', (c) => c.json({ one: c.req.query('q'), all: c.req.queries('tag') ?? [] }))
app.get('/fields', (c) => c.json({ x: c.req.header('x-field'), agent: c.req.header('user-agent') }))
app.post('/json', async (c) => c.json(await c.req.json()))
app.post('/text', async (c) => c.text(await c.req.text()))
app.post('/form', async (c) => c.json(await c.req.parseBody()))
app.post('/upload', async (c) => {
  const { file, name } = await c.req.parseBody()
  return c.json({ name, file: file.name, type: file.type, text: await file.text() })
})
// Bytes have no type by the standard; @hono/node-server calls them text.
app.post('/bytes', async (c) =>
  c.body(await c.req.arrayBuffer(), 200, { 'content-type': 'application/octet-stream' }),
)
app.post('/body', async (c) => c.text(await new Response(c.req.raw.body).text()))
app.put('/put', (c) => c.body(null, 204))
app.delete('/override', (c) => c.text('deleted'))
app.get('/cors/a', (c) => c.text('shared'))
app.get('/compressed/a', (c) => c.text('donkey '.repeat(1000)))
app.get('/etag/a', (c) => c.text('tagged'))
app.get('/auth/a', (c) => c.text('in'))
app.get('/stream', (c) =>
  streamText(c, async (stream) => {
    for (const word of ['one', 'two', 'three']) await stream.writeln(word)
  }),
)
app.get('/events', (c) =>
  streamSSE(c, async (stream) => {
    for (let id = 0; id < 3; id++) await stream.writeSSE({ data: `n${id}`, id: String(id) })
  }),
)
app.get('/moved', (c) => c.redirect('/', 301))
app.get('/cookies', (c) => {
  setCookie(c, 'a', '1', { path: '/', httpOnly: true })
  setCookie(c, 'b', '2')
  deleteCookie(c, 'old')
  return c.json(getCookie(c))
})
app.get('/status/:code', (c) => c.body(null, Number(c.req.param('code'))))
app.get('/teapot', () => {
  throw new HTTPException(418, { message: 'short and stout' })
})
app.get('/throw', () => {
  throw new Error('thrown on purpose')
})
app.get('/url', (c) => c.text(new URL(c.req.url).pathname))
app.get('/raw', () => new Response('raw', { headers: { 'content-type': 'text/x-raw' } }))
app.all('/any', (c) => c.text(c.req.method))
app.notFound((c) => c.text(`no ${c.req.path} here`, 404))
app.onError((error, c) =>
  error instanceof HTTPException ? error.getResponse() : c.text(`error: ${error.message}`, 500),
)

export default app
