import Foundation
import FuzzReaders
import Testing

/// Every input that a fuzzer begins with, and every one that once ended the process, is read or refused.
@Suite struct CorpusTests {
  @Test(arguments: FuzzReader.allCases.filter(\.isAvailable)) func corpus(reader: FuzzReader) throws {
    let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fuzz/Corpus/\(reader.rawValue)")
    let files = try FileManager.default.contentsOfDirectory(atPath: corpus.path).filter { !$0.hasPrefix(".") }
    #expect(files.count >= 5, "\(corpus.path) has \(files.count) files")
    let scratch = try FuzzScratch()
    for file in files.sorted() {
      let bytes = try Data(contentsOf: corpus.appendingPathComponent(file))
      reader.read(Array(bytes), in: scratch)
      // And each of its prefixes, roughly.
      for length in Swift.stride(from: 0, to: bytes.count, by: max(1, bytes.count / 40)) {
        reader.read(Array(bytes.prefix(length)), in: scratch)
      }
    }
  }
}
