import Foundation
import Testing

@testable import octcli

/// Every command line that help texts and documents show is run, word for word, by a shell. What takes long gets flags
/// behind it that shorten it; the files that it speaks of are made first.
struct ExampleTests {
  @Test(arguments: Example.all.filter { !$0.needsImages })
  func runs(example: Example) throws { try Self.run(example) }

  static func run(_ example: Example) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try ExampleFixtures(runner: runner).make(for: example)
    let outcome = try runner.run(
      script: #"PATH=$(dirname "$0"):$PATH; "# + example.command + ExampleFixtures.limits(for: example), [])
    #expect(outcome.status == 0 && outcome.output != "", "\(outcome.errors)")
    #expect(!outcome.errors.contains("octcli: "), "\(outcome.errors)")
    for flag in ["--out", "--predictions"] {
      guard let path = example.value(after: flag), !example.words.contains("--dry-run") else { continue }
      #expect(FileManager.default.fileExists(atPath: runner.path(path)), "\(path)")
    }
    if example.words.contains("--resume") && example.words.contains("train") {
      #expect(outcome.errors.contains("resumed at epoch 1, step 2"), "\(outcome.errors)")
    }
  }

  /// None is overlooked: not in a help text, where lines must be short enough to be copied, nor in a document.
  @Test func allAreCollected() {
    #expect(Example.all.count > 40)
    for (name, help) in Example.commands {
      let isGroup = name == "octcli" || name == "octcli bench"
      let lines = Example.exampleLines(of: help)
      #expect(lines.isEmpty == isGroup, "\(name)")
      for line in lines { #expect(Example.invocation(in: line) != nil, "\(name): \(line)") }
    }
    for (name, text) in Example.documents {
      let lines = Example.blocks("sh", of: text).joined()
      let found = Example.inDocument(name, text).count
      #expect(lines.filter { $0.contains("octcli ") }.count == found, "\(name)")
      // Nothing in a block of another kind.
      for line in text.split(separator: "\n") where Example.invocation(in: String(line)) != nil {
        #expect(lines.contains(String(line)), "\(name): \(line)")
      }
    }
  }

  /// Commands in the middle of a sentence: they and their flags exist.
  @Test func mentionsAreRight() throws {
    let texts = Example.documents + Example.commands.map { (name: $0.name, text: $0.help) }
    var mentions = 0
    for (name, text) in texts {
      for match in text.matches(of: /`octcli ([^`]+)`/) {
        let words = match.1.split(whereSeparator: \.isWhitespace).map(String.init)
        guard let first = words.first, !first.hasPrefix("<"), first != "help" else { continue }
        let path = "octcli " + words.prefix(first == "bench" ? 2 : 1).joined(separator: " ")
        let command = try #require(
          Example.commands.first { $0.name == path }, "\(name): \(match.0)")
        for flag in words where flag.hasPrefix("--") {
          #expect(command.help.contains("  \(flag) "), "\(name): \(match.0)")
        }
        mentions += 1
      }
    }
    #expect(mentions > 10)
  }

  /// Numbers behind `--mean` and `--std` belong to them, and what is no number does not.
  @Test(arguments: [
    ("--mean .5 .4 .3 --std .2 .2 .2 x.jpg", "--mean=.5,.4,.3 --std=.2,.2,.2 x.jpg"),
    ("--mean .5,.4,.3 x.jpg --std .2,.2,.2", "--mean=.5,.4,.3 x.jpg --std=.2,.2,.2"),
    ("--mean=.5 .4 -1e-1 ./3 --csv", "--mean=.5,.4,-1e-1 ./3 --csv"),
    ("--mean .5 -- .4 --std 1 2", "--mean=.5 -- .4 --std 1 2"),
    ("--mean x.jpg --std", "--mean x.jpg --std"),
    ("--meaning 1 2 --threads 1 2", "--meaning 1 2 --threads 1 2"),
    ("--std=.1,.2", "--std=.1,.2"), ("--mean inf nan", "--mean inf nan"), ("", ""),
  ])
  func listsOfNumbersAreOneWord(line: String, expected: String) {
    let words = line.split(separator: " ").map(String.init)
    #expect(NumberList.joiningWords(words).joined(separator: " ") == expected)
  }
}

#if Images
  /// Those that need PNG and JPEG.
  struct ImageExampleTests {
    @Test(arguments: Example.all.filter(\.needsImages))
    func runs(example: Example) throws { try ExampleTests.run(example) }

    @Test func thereAreSome() { #expect(Example.all.count(where: \.needsImages) > 5) }
  }
#endif
