// The measured handler: returns the Buffer it got.
export const handleRequest = (request: Buffer) => request
