// Calls a front from @grpc/grpc-js: many calls on one connection.
const grpc = require("@grpc/grpc-js");

const [address, method, calls, size, window] = process.argv.slice(2);
const same = (bytes) => bytes;
const options = window === "0" ? {} : { "grpc-node.flow_control_window": Number(window) };
const client = new grpc.Client(address, grpc.credentials.createInsecure(), options);
const total = Number(calls);
let next = 0;
let done = 0;

function one() {
  if (next === total) return;
  const request = Buffer.alloc(Number(size));
  request.writeUInt32BE(next++);
  const deadline = new Date(Date.now() + 60_000);
  client.makeUnaryRequest(method, same, same, request, { deadline }, (error, answer) => {
    if (error || !answer.subarray(-request.length).equals(request)) {
      console.error(error ? error.message : "another call's answer");
      process.exit(1);
    }
    if (++done === total) {
      console.log(done);
      client.close();
    } else {
      one();
    }
  });
}
for (let i = 0; i < 64; i++) one();
