#!/usr/bin/env node
import { runCli } from "./cli.ts";

// `sfi-install` is exactly `sfi install`, for the line.
process.exitCode = await runCli(["install", ...process.argv.slice(2)]);
