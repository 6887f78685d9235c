import ArgumentParser
import Foundation
import Testing

@testable import octcli

/// A command line that a help text or a document shows.
struct Example: CustomTestStringConvertible, Sendable {
  /// The command whose help it is, or the document.
  let source: String
  /// For a shell that finds `octcli` on its path.
  let command: String

  var testDescription: String { "\(source): \(command)" }
  var words: [String] { command.split(separator: " ").map(String.init) }

  /// Whether it reads image files, which the trait `Images` does.
  var needsImages: Bool {
    words.contains("predict") || words.contains { $0.contains("folder:") || $0.contains("tar:") }
  }

  /// The word that follows another one.
  func value(after flag: String) -> String? {
    words.firstIndex(of: flag).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
  }

  /// Each command line once.
  static let all: [Example] = {
    var known: Set<String> = []
    return (inHelp + documents.flatMap { inDocument($0.name, $0.text) }).filter {
      known.insert($0.command).inserted
    }
  }()

  // MARK: Help texts

  /// The program and all its commands, each with its words.
  static let commands: [(name: String, help: String)] = {
    func below(_ type: any ParsableCommand.Type, _ words: [String]) -> [(String, String)] {
      let name = words.joined(separator: " ")
      let help = Octcli.helpMessage(for: type, columns: 80)
      return [(name, help)]
        + type.configuration.subcommands.flatMap { command in
          below(command, words + [command.configuration.commandName ?? "?"])
        }
    }
    return below(Octcli.self, ["octcli"])
  }()

  private static var inHelp: [Example] {
    commands.flatMap { name, help in
      exampleLines(of: help).compactMap { line in
        invocation(in: line).map { Example(source: name + " --help", command: $0) }
      }
    }
  }

  /// The lines below "Examples:", as a terminal of 80 columns shows them; those that end with a backslash go on.
  static func exampleLines(of help: String) -> [String] {
    let lines = help.components(separatedBy: "\n")
    guard let start = lines.firstIndex(of: "Examples:") else { return [] }
    return logicalLines(Array(lines[(start + 1)...].prefix { $0.hasPrefix("  ") }))
  }

  // MARK: Documents

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../..").standardized

  /// README.md, those beside it, and those in docs.
  static let documents: [(name: String, text: String)] = {
    let files = FileManager.default
    let top = (try? files.contentsOfDirectory(atPath: root.path)) ?? []
    let below = (try? files.subpathsOfDirectory(atPath: root.path + "/docs")) ?? []
    return (top + below.map { "docs/" + $0 }).filter { $0.hasSuffix(".md") }.sorted().map { name in
      (name, (try? String(contentsOf: root.appendingPathComponent(name), encoding: .utf8)) ?? "")
    }
  }()

  static func inDocument(_ name: String, _ text: String) -> [Example] {
    blocks("sh", of: text).flatMap { logicalLines($0) }.flatMap { $0.components(separatedBy: " && ") }
      .compactMap { line in invocation(in: line).map { Example(source: name, command: $0) } }
  }

  /// The lines of every block of code in a language.
  static func blocks(_ language: String, of text: String) -> [[String]] {
    var blocks: [[String]] = []
    var isInside = false
    for line in text.components(separatedBy: "\n") {
      if isInside && line == "```" {
        isInside = false
      } else if isInside {
        blocks[blocks.count - 1].append(line)
      } else if line == "```" + language {
        isInside = true
        blocks.append([])
      }
    }
    return blocks
  }

  // MARK: Lines

  /// Without comments; a backslash at its end joins a line with the next one.
  private static func logicalLines(_ lines: [String]) -> [String] {
    var result: [String] = []
    var goesOn = false
    for line in lines {
      var line = line.replacing(/\s+#\s.*$/, with: "").trimmingCharacters(in: .whitespaces)
      let next = line.hasSuffix("\\")
      if next { line = line.dropLast().trimmingCharacters(in: .whitespaces) }
      if goesOn { result[result.count - 1] += " " + line } else { result.append(line) }
      goesOn = next
    }
    return result
  }

  /// A line that runs the program, from a checkout, from the build's directory or from the path: as if from the path.
  static func invocation(in line: String) -> String? {
    guard
      let match = line.wholeMatch(
        of:
          /(?<variables>([A-Z_]+=\S+ +)*)(swift run (-c release )?(--traits Images )?|\.build\/release\/)?octcli(?<rest>( .*)?)/
      )
    else { return nil }
    return "\(match.variables)octcli\(match.rest)"
  }
}
