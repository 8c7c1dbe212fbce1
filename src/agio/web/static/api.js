// The HTTP API. Errors are thrown as ApiError, with the API's code and message.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function ask(method, path, body, headers = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "offline", "The exchange cannot be reached. Check your connection and try again.");
  }
  if (response.status === 204) return undefined;
  const content = await response.json().catch(() => undefined);
  if (response.ok) return content;
  const { code = "unknown", message = `The exchange answered ${response.status}.` } = content?.error ?? {};
  throw new ApiError(response.status, code, message);
}

export const get = (path) => ask("GET", path);
export const post = (path, body, headers) => ask("POST", path, body, headers);
export const del = (path) => ask("DELETE", path);

// A key under which a wish is done once, however often it is sent.
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
