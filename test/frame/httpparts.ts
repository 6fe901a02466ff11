// Messages of HTTP to compare parsers with: parts that are combined, and changes to them that a seed decides.

const HOST = 'Host: a\r\n'
const END = '\r\n'
const EVIL = 'GET /evil HTTP/1.1\r\nHost: a\r\n\r\n'

const LINES = [
  ...['GET / HTTP/1.1', 'POST /a?b=c&d=%20 HTTP/1.1', 'HEAD / HTTP/1.1', 'OPTIONS * HTTP/1.1'],
  ...['GET / HTTP/1.0', 'POST / HTTP/1.0', 'HEAD / HTTP/1.0', 'PUT /{}|^~`"<> HTTP/1.1'],
  ...['M-SEARCH * HTTP/1.1', 'QUERY / HTTP/1.1', 'PRI * HTTP/2.0', 'GET / HTTP/0.9'],
  ...['GET http://a/ HTTP/1.1', 'GET HTTPS://a:443/b?c HTTP/1.1', 'GET http://a HTTP/1.1'],
  ...['GET http://a?b HTTP/1.1', 'GET http://[::1]:80/ HTTP/1.1', 'GET http://u@a/ HTTP/1.1'],
  ...['GET http:///b HTTP/1.1', 'GET http://? HTTP/1.1', 'GET http://u@v@a/ HTTP/1.1'],
  ...['GET http://a"b/ HTTP/1.1', 'GET http://a^/ HTTP/1.1', 'GET http://a%zz/ HTTP/1.1'],
  ...['GET https://a|b HTTP/1.1', 'GET http://a,b/ HTTP/1.1', 'GET hTTp://a/ HTTP/1.1'],
  ...['GET http://@a/ HTTP/1.1', 'GET http://a\\b/ HTTP/1.1', 'GET http://a/b"c HTTP/1.1'],
  ...['GET httpx://a HTTP/1.1', 'GET a HTTP/1.1', 'GET ? HTTP/1.1', 'CONNECT a:80 HTTP/1.1'],
  ...['GET  / HTTP/1.1', 'GET /  HTTP/1.1', 'GET / HTTP/1.1 ', 'GET\t/ HTTP/1.1', 'GET /'],
  ...['get / HTTP/1.1', 'GET / http/1.1', 'GET / HTTP/1.2', 'GET /a b HTTP/1.1', 'GET'],
  ...['GET /#a HTTP/1.1', 'GET /\xe9 HTTP/1.1', 'GET /\0 HTTP/1.1', 'BREW / HTTP/1.1', ' GET /'],
]

const FIELDS = [
  ...['', 'A: b\r\n', 'A:\r\n', 'A: \t b \t\r\n', 'A: \xe9\xff\r\n', "!#$%&'*+-.^_`|~: x\r\n"],
  ...['Connection: close\r\n', 'Connection: keep-alive\r\n', 'Connection: close, keep-alive\r\n'],
  ...['Connection: upgrade\r\nUpgrade: x\r\n', 'Connection: closed\r\n', 'Connection:\r\n'],
  ...['connection: a ,\tclose\r\n', 'Connection: close x\r\n', 'Proxy-Connection: close\r\n'],
  ...['Connection: keep-alive\r\nConnection: close\r\n', 'Connection: , ,close,\r\n'],
  ...['Expect: 100-continue\r\n', 'Expect: x\r\n', 'Trailer: a\r\n', 'TE: trailers\r\n'],
  ...['Host: b\r\n', 'Host: a,b\r\n', 'A b: c\r\n', 'A : b\r\n', ': b\r\n', 'A\r\n', ' A: b\r\n'],
  ...['A: b\r\n c\r\n', 'A: b\0c\r\n', 'A: b\n', 'A: b\rc\r\n', 'A: \x7f\r\n', 'A: \x01\r\n'],
]

const FRAMINGS = [
  ...['', 'Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'Content-Length: 005\r\n'],
  ...['content-LENGTH:5\r\n', 'Content-Length: \t5\t \r\n', 'Content-Length: 30\r\n'],
  ...['Content-Length: 5\r\nContent-Length: 5\r\n', 'Content-Length: 5, 5\r\n'],
  ...['Content-Length: +5\r\n', 'Content-Length: -5\r\n', 'Content-Length: 0x5\r\n'],
  ...['Content-Length: 5 \r\n', 'Content-Length: 5 5\r\n', 'Content-Length:\r\n'],
  ...['Content-Length: 18446744073709551621\r\n', 'Content-Length : 5\r\n'],
  ...['Transfer-Encoding: chunked\r\n', 'transfer-encoding:CHUNKED\r\n'],
  ...['Transfer-Encoding: chunked, chunked\r\n', 'Transfer-Encoding: gzip, chunked\r\n'],
  ...['Transfer-Encoding: chunked, gzip\r\n', 'Transfer-Encoding: identity\r\n'],
  ...['Transfer-Encoding: chunkedx\r\n', 'Transfer-Encoding: xchunked\r\n'],
  ...['Transfer-Encoding : chunked\r\n', 'Transfer-Encoding:\r\n chunked\r\n'],
  ...['Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', 'Transfer-Encoding: \x0bchunked\r\n'],
  ...['Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'Transfer-Encoding: chunked,\r\n'],
]

const CHUNKS = [
  ...['0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n', '1\r\na\r\n00b\r\n0123456789A\r\n0\r\n\r\n'],
  ...['5;a\r\nhello\r\n0;b=c\r\n\r\n', '5;a="b;c\\"d"\r\nhello\r\n0\r\n\r\n', '5;\r\nhello\r\n'],
  ...['5;a=\r\nhello\r\n', '5 \r\nhello\r\n0\r\n\r\n', '5 ;a\r\nhello\r\n', '5;a="\r\nhello\r\n'],
  ...['0x5\r\nhello\r\n', '+5\r\nhello\r\n', ' 5\r\nhello\r\n', '\r\n', 'g\r\n', '-1\r\n'],
  ...[
    '5\nhello\r\n',
    '5\r\nhello \n0\r\n\r\n',
    '5\r\nhello\r 0\r\n\r\n',
    '5\r\nhello\n0\r\n\r\n',
    '5\r\nhello0\r\n\r\n',
    '5\r\nhelloo\r\n0\r\n\r\n',
  ],
  ...['0\r\nA: b\r\nC:\r\n\r\n', '0\r\nA: b\n\r\n', '0\r\nA\r\n\r\n', '0\r\n A: b\r\n\r\n'],
  ...['0\r\nContent-Length: 5\r\n\r\n', '0\r\nTransfer-Encoding: chunked\r\n\r\n', '0\r\n\n'],
  ...['10000000000000005\r\nhello\r\n', '00000000000000005\r\nhello\r\n0\r\n\r\n', '5;a=b;c=d'],
  ...[
    '0\r\nTransfer-Encoding: x\r\n\r\n',
    '0\r\nConnection: close\r\n\r\n',
    '5;a\xe9\r\nhello\r\n',
  ],
  ...[
    '5;"a"\r\nhello\r\n0\r\n\r\n',
    '5;a="\xe9\t"\r\nhello\r\n0\r\n\r\n',
    '5;a="\\\xe9"\r\nhello\r\n',
  ],
]

const FRONTS = ['', '\r\n', '\r\n\r\n', '\n', '\r', ' ', '\0', '\r\n ']

/** Messages of these parts, each followed by another one. */
export function messages(): Buffer[] {
  const heads = LINES.map((line) => `${line}\r\n${HOST}${END}`)
  const fields = FIELDS.flatMap((field) =>
    ['GET / HTTP/1.1', 'POST / HTTP/1.0'].map((line) => `${line}\r\n${HOST}${field}${END}`),
  )
  const framings = FRAMINGS.flatMap((framing) =>
    ['hello', '5\r\nhello\r\n0\r\n\r\n', ''].flatMap((body) =>
      ['GET', 'POST'].map((method) => `${method} / HTTP/1.1\r\n${framing}${HOST}${END}${body}`),
    ),
  )
  const old = FRAMINGS.map((framing) => `POST / HTTP/1.0\r\n${framing}${END}hello`)
  const chunked = CHUNKS.map(
    (chunks) => `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n${END}${chunks}`,
  )
  const fronts = FRONTS.map((front) => `${EVIL}${front}${EVIL}`)
  const all = [...heads, ...fields, ...framings, ...old, ...chunked, ...fronts]
  return all.map((text) => Buffer.from(text + EVIL, 'latin1'))
}

/** Numbers from 0 up to 1, the same for each seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Bytes that mean something to somebody. */
const SPECIAL = '\r\n\t \0:;,="\\0159aAfFgGxX+-_#*/?@%[]HTP.\x0b\x7f\x85\xa0\xff'

/** Changes an input in one to three places. */
export function mutated(input: Buffer, random: () => number): Buffer {
  let text = input.toString('latin1')
  const below = (bound: number): number => Math.floor(random() * bound)
  const special = (): string => SPECIAL[below(SPECIAL.length)] as string
  for (let changes = 1 + below(3); changes > 0; changes--) {
    const at = below(text.length)
    const [front, rest] = [text.slice(0, at), text.slice(at)]
    const lines = text.split('\n')
    const line = below(lines.length)
    const changed = [
      () => front + special() + rest.slice(1),
      () => front + special() + rest,
      () => front + String.fromCharCode(below(256)) + rest.slice(1),
      () => front + rest.slice(1 + below(3)),
      () => front + rest.slice(0, 1 + below(8)) + rest,
      () => lines.toSpliced(line, 0, lines[line] as string).join('\n'),
      () => lines.toSpliced(line, 1).join('\n'),
      () => lines.toSpliced(below(lines.length), 0, lines[line] as string).join('\n'),
    ]
    text = (changed[below(changed.length)] as () => string)()
    if (text === '') return input
  }
  return Buffer.from(text, 'latin1')
}
