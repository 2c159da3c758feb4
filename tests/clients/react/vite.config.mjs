// Builds the page with one version of React: REACT is the folder that has it, OUT where the page goes.
import { resolve } from "node:path";

const { REACT, OUT } = process.env;

export default {
  root: import.meta.dirname,
  base: "./",
  logLevel: "error",
  build: { outDir: resolve(OUT), emptyOutDir: true, minify: false },
  // React's own warnings are a part of what is tested.
  define: { "process.env.NODE_ENV": '"development"' },
  oxc: { jsx: { runtime: "automatic", development: false } },
  resolve: {
    alias: [
      { find: /^(react|react-dom)($|\/)/, replacement: resolve(REACT, "node_modules/$1$2") },
      { find: "@quotad/react", replacement: resolve("clients/react/dist/index.js") },
    ],
  },
};
