import ArgumentParser
import OctNet

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Make a page with charts and tables from runs.",
    discussion: """
      Reads every run in the given directories, which are runs or hold runs up to four levels below. Runs that differ \
      in nothing but seed, threads, workers, --in-memory, --skip-damaged, checkpoint interval and the place of the data are repetitions: \
      their accuracies get a mean and a deviation. Writes report.html, one file that needs nothing else, and a folder report with its charts as SVG and \
      its tables as CSV and Markdown, and prints the path of the page.

      Examples:
        octcli report runs/first
        octcli report studies/alpha
        octcli report runs/a runs/b --out comparison
      """)

  @Argument(help: ArgumentHelp("Directories of runs, or with runs below them.", valueName: "dir"))
  var directories: [String]

  @Option(
    help: ArgumentHelp(
      "Directory to write to, made where there is none (default: the given directory, where it is one).",
      valueName: "dir"))
  var out: String?

  func validate() throws {
    if out == nil && directories.count > 1 {
      throw ValidationError(
        "--out says where the report on \(numbered(directories.count, "directory", plural: "directories")) goes; it is missing"
      )
    }
  }

  func run() throws {
    try Terminal.print(Report(directories: directories).write(to: out ?? directories[0]))
  }
}
