// The service behind the page: one place for every request.

export interface Fault {
  file: string;
  row: number | null;
  column: string | null;
  value: string | null;
  message: string;
  remedy: string;
}

/** An answer that says what is wrong. */
export class ServiceError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly faults: Fault[],
  ) {
    super(message);
  }
}

const KEY = "sufficiency-key";
const MOST_ROWS = 10_000;

export const signedIn = (): boolean => sessionStorage.getItem(KEY) !== null;

/** Keeps an API key or token until the browser's tab closes. */
export function signIn(key: string): void {
  sessionStorage.setItem(KEY, key);
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
}

async function ask(path: string, how: RequestInit = {}): Promise<Response> {
  const headers = new Headers(how.headers);
  const key = sessionStorage.getItem(KEY);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  const answer = await fetch(path, { ...how, headers });
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string; problems?: Fault[] };
  throw new ServiceError(answer.status, problem.detail ?? `The service answered ${answer.status}.`, problem.problems ?? []);
}

export async function get<T>(path: string): Promise<T> {
  return (await ask(`v1/${path}`)).json() as Promise<T>;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
  return (await ask(`v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json() as Promise<T>;
}

export async function send<T>(path: string, form: FormData): Promise<T> {
  return (await ask(`v1/${path}`, { method: "POST", body: form })).json() as Promise<T>;
}

/** All items of a list. */
export async function list<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  for (let next: string | null = ""; next !== null; ) {
    const query = `${path.includes("?") ? "&" : "?"}limit=200${next && `&cursor=${encodeURIComponent(next)}`}`;
    const page: { items: T[]; next: string | null } = await get(`${path}${query}`);
    items.push(...page.items);
    next = page.next;
  }
  return items;
}

/** All rows of a table. */
export async function rows<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  for (let next: number | null = 0; next !== null; ) {
    const page: { items: T[]; next: number | null } = await get(`${path}${path.includes("?") ? "&" : "?"}limit=${MOST_ROWS}&offset=${next}`);
    items.push(...page.items);
    next = page.next;
  }
  return items;
}

export async function bytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await ask(`v1/${path}`)).arrayBuffer());
}

/** Saves a file. A plain link does where nobody has to sign in; this one sends the key along. */
export async function save(path: string, name: string): Promise<void> {
  const url = URL.createObjectURL(await (await ask(path)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** Server-sent events of a run, until it ends. */
export async function follow(path: string, hear: (event: string, data: Record<string, unknown>) => void): Promise<void> {
  const answer = await ask(`v1/${path}`, { headers: { Accept: "text/event-stream" } });
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r\n", "\n");
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const field = (name: string) => block.split("\n").filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2)).join("\n");
      if (field("data")) hear(field("event"), JSON.parse(field("data")) as Record<string, unknown>);
    }
  }
}
