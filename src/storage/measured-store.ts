import type { Clock } from "../base/clock.ts";
import type { Histogram } from "../base/metrics.ts";
import type { ObjectStore } from "./object-store.ts";

/**
 * `store` with the time that each of its actions takes, under Distribution's names of them. How a
 * blob leaves is not measured: it is on the path of every pull, and costs a microsecond.
 */
export function measuredStore(
  store: ObjectStore,
  options: { readonly seconds: Histogram; readonly driver: string; readonly clock: Clock },
): ObjectStore {
  const { clock } = options;
  const timed = (action: string) => {
    const series = options.seconds.bind({ action, driver: options.driver });
    return async <T>(work: Promise<T>): Promise<T> => {
      const startedMs = clock.monotonicMs();
      try {
        return await work;
      } finally {
        series.observe((clock.monotonicMs() - startedMs) / 1000);
      }
    };
  };
  const stat = timed("Stat");
  const getContent = timed("GetContent");
  const putContent = timed("PutContent");
  const list = timed("List");
  const move = timed("Move");
  const remove = timed("Delete");
  const writer = timed("Writer");
  return {
    stat: (key) => stat(store.stat(key)),
    read: (key, sizeBytesMax) => getContent(store.read(key, sizeBytesMax)),
    readStream: (key, range) => store.readStream(key, range),
    content: (key) => store.content(key),
    put: (key, bytes) => putContent(store.put(key, bytes)),
    putVolatile: (key, bytes) => putContent(store.putVolatile(key, bytes)),
    list: (folder) => list(store.list(folder)),
    move: (source, target) => move(store.move(source, target)),
    moveVolatile: (source, target) => move(store.moveVolatile(source, target)),
    settle: (key) => move(store.settle(key)),
    settleRemoval: (key) => move(store.settleRemoval(key)),
    remove: (key) => remove(store.remove(key)),
    removeFolder: (folder) => remove(store.removeFolder(folder)),
    removeAll: (keys) => remove(store.removeAll(keys)),
    removeAllWithFolders: (keys) => remove(store.removeAllWithFolders(keys)),
    removeEmptyFolders: (folders) => remove(store.removeEmptyFolders(folders)),
    openAppend: (key, offset) => writer(store.openAppend(key, offset)),
    probe: () => store.probe(),
  };
}
