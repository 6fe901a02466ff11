// What a request that cannot be is answered with.

const STATUSES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported',
}

/** Limits that are passed; the others are errors of the client. */
export const isTooLong = (status: number): boolean =>
  status === 413 || status === 414 || status === 431

/** The whole response; the connection ends behind it. */
export function refusal(status: number): Buffer {
  const text = `${status} ${STATUSES[status]}`
  const lines = [
    `HTTP/1.1 ${text}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${text.length + 1}`,
    '',
    `${text}\n`,
  ]
  return Buffer.from(lines.join('\r\n'), 'latin1')
}
