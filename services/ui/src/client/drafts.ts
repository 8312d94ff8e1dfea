/* Where drafts are kept: IndexedDB, and a memory twin with the same contract (test/drafts.test.ts runs both). */
import type { Draft, DraftStore } from "./outbox.ts";

const DATABASE = "signalink";
const STORE = "outbox";

export class IndexedDrafts implements DraftStore {
  #database: Promise<IDBDatabase> | null = null;

  async all(userId: string): Promise<Draft[]> {
    const found = await this.#run<Draft[]>("readonly", (store) => store.getAll() as IDBRequest<Draft[]>);
    return found.filter((draft) => draft.user_id === userId);
  }

  async put(draft: Draft): Promise<void> {
    await this.#run("readwrite", (store) => store.put(draft));
  }

  async remove(clientId: string): Promise<void> {
    await this.#run("readwrite", (store) => store.delete(clientId));
  }

  /** Resolves when the transaction is complete, not only the request: then it survives a reload. */
  async #run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    this.#database ??= open();
    const database = await this.#database;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
    });
  }
}

export class MemoryDrafts implements DraftStore {
  readonly #drafts = new Map<string, Draft>();

  all(userId: string): Promise<Draft[]> {
    return Promise.resolve([...this.#drafts.values()].filter((draft) => draft.user_id === userId));
  }

  put(draft: Draft): Promise<void> {
    this.#drafts.set(draft.client_id, draft);
    return Promise.resolve();
  }

  remove(clientId: string): Promise<void> {
    this.#drafts.delete(clientId);
    return Promise.resolve();
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "client_id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB cannot be opened"));
  });
}
