import Foundation
import Testing

@testable import OctNetSupport

/// "1 byte", never "1 bytes".
struct CountedNounTests {
  @Test func oneIsOne() {
    #expect(numbered(1, "byte") == "1 byte" && numbered(2000, "byte") == "2000 bytes")
    #expect(numbered(0, "class", plural: "classes") == "0 classes")
    #expect(numbered(1, "class", plural: "classes") == "1 class")
    #expect(numbered(UInt64.max, "byte") == "18446744073709551615 bytes")
    #expect(counted(1, "byte") == "1 byte" && counted(2000, "byte") == "2,000 bytes")
    #expect(MemoryDemand.text(1) == "1 byte" && MemoryDemand.text(1023) == "1023 bytes")
  }

  /// Texts of the sources in which a number stands before a plural without having asked whether it is one.
  @Test func sourcesAsk() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
      "../../Sources")
    let nouns =
      "bytes|images|classes|class names|epochs|files|values|keys|threads|channels|numbers|labels|records|updates|"
      + "cells|batches|steps|runs|parameters|rows|lines|directories|folders|levels|tensors|arrays|elements"
    // "\(count) bytes", and the plural made by hand.
    let slip = try Regex(#"\\\((?<expression>.*)\) (\#(nouns))\b|== 1 \? "" : "s""#)
    // Nothing asks in a text for programmers, and not where there are two at least.
    let exempt = [
      "precondition", "ungrouped convolutions", "DataPart.swift", "Dataset.swift", "BatchLoader.swift",
      "extensionList",
    ]
    var found: [String] = []
    var files = 0
    let all = try #require(FileManager.default.enumerator(atPath: root.path))
    for case let name as String in all where name.hasSuffix(".swift") && !name.contains("Generated/") {
      files += 1
      let text = try String(contentsOf: root.appendingPathComponent(name), encoding: .utf8)
      for line in text.split(separator: "\n") where !line.drop(while: { $0 == " " }).hasPrefix("//") {
        let place = "\(name): \(line)"
        if line.firstMatch(of: slip) != nil, !exempt.contains(where: place.contains) { found.append(place) }
      }
    }
    #expect(files > 100 && found.isEmpty, "\(found.joined(separator: "\n"))")
  }
}
