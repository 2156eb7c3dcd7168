// Takes sockets from the process that started it, greets and echoes: a pod whose sockets are not its sandbox's.
process.on("message", (_, socket) => {
  socket?.on("error", () => {});
  socket?.write("220 ready\n");
  socket?.pipe(socket);
});
process.on("disconnect", () => process.exit());
