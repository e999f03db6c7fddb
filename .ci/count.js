// Reads the test report and prints the one line that says how it went. A skipped test is a failed one here: CI has
// everything the tests ask for. Argument: how many other checks have failed.
import { readFileSync } from 'node:fs'

let passed = 0
let failed = Number(process.argv[2] ?? 0)
try {
  const report = JSON.parse(readFileSync('.out/test.json', 'utf8'))
  passed = report.numPassedTests
  // A file that does not load has no tests to fail; it counts by itself.
  const broken = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  failed += report.numTotalTests - report.numPassedTests + broken.length
} catch (error) {
  console.log(`no test report: ${error.message}`)
  failed += 1
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
