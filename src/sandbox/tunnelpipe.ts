import { CLOSE_NORMAL } from "../runtime/wire/websocket.ts";
import type { BytePipe, PipeEvents } from "./bytepipe.ts";
import { WebSocketEnd, tunnelMessage, type FrameFaults } from "./websocketend.ts";

/**
 * The messages of a WebSocket as a pipe of bytes; a message of text ends it. Source: client-go
 * `tools/portforward/tunneling_connection.go`.
 */
export function tunnelPipe(
  open: (events: PipeEvents) => BytePipe,
  events: PipeEvents,
  faults: FrameFaults,
): BytePipe {
  const socket: WebSocketEnd = new WebSocketEnd(
    open,
    {
      onData: (part, kind) => {
        if (kind === "binary") events.onBytes(part);
        else socket.close(CLOSE_NORMAL);
      },
      onMessageEnd: (kind) => {
        if (kind === "text") socket.close(CLOSE_NORMAL);
      },
      onDrain: () => events.onDrain(),
      onClose: () => events.onClose(),
    },
    faults,
  );
  return {
    write: (bytes) => socket.send(tunnelMessage(bytes)),
    cork: () => {}, // every message is corked
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    silence: () => socket.silence(),
    end: () => socket.close(CLOSE_NORMAL),
    destroy: () => socket.destroy(),
  };
}
