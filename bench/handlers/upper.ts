// The measured handler: strings in, strings out.
export const decodeRequest = 'latin1'

export const handleRequest = (request: string) => request.toUpperCase()
