/**
 * Frames that go out together, as one piece. In a busy turn many sockets are sent the same ones: those are put together for
 * the first, and one write of one piece costs half of what a write of many does.
 */
export interface FrameBundles {
  /** @param frames two or more; undefined: they are for one socket alone */
  of(frames: readonly (Buffer | string)[]): Buffer | undefined;
}

/** Beyond it, what copying costs is more than what is saved. */
const MOST_BYTES = 256 * 1024;

export function createFrameBundles(): FrameBundles {
  let last: readonly (Buffer | string)[] = [];
  let bundle: Buffer = Buffer.alloc(0);

  return {
    of(frames) {
      if (frames.length === last.length && frames.every((frame, i) => frame === last[i])) return bundle;
      // A text is not framed yet: what is said to one socket.
      if (!frames.every((frame) => typeof frame === "object")) return undefined;
      if (frames.reduce((sum, { length }) => sum + length, 0) > MOST_BYTES) return undefined;
      last = frames;
      bundle = Buffer.concat(frames);
      return bundle;
    },
  };
}
