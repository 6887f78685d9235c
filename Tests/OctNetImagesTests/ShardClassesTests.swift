#if Images
  import Foundation
  import OctNet
  @testable import OctNetImages
  import Testing

  /// Names of classes in a file beside shards whose labels are numbers.
  @Suite struct ShardClassesTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent(
      "octnet-" + UUID().uuidString)

    init() throws { try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true) }

    private func remove() { try? FileManager.default.removeItem(at: root) }

    private func write(_ name: String, _ text: String) throws {
      try Data(text.utf8).write(to: root.appendingPathComponent(name))
    }

    private func shard(_ name: String, _ labels: [String]) throws {
      let pixel = PNGWriter.file(width: 1, height: 1, depth: 8, rows: [0, 9])
      let entries = labels.enumerated().flatMap { number, label in
        [("\(number).png", pixel), ("\(number).cls", Array(label.utf8))]
      }
      let url = root.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(TarWriter.file(entries)).write(to: url)
    }

    private func folder(_ pattern: String) -> ImageFolder {
      ImageFolder(shards: root.appendingPathComponent(pattern).path)
    }

    private func message(_ pattern: String) -> String? {
      do { _ = try folder(pattern).split() } catch {
        return "\(error)".replacingOccurrences(of: root.path, with: "DIR")
      }
      return nil
    }

    @Test(arguments: ShardClasses.fileNames)
    func numbersAreLinesOfTheFile(name: String) throws {
      defer { remove() }
      try shard("train-0.tar", ["10", "2", "0"])
      try shard("val-0.tar", ["2", "07"])
      let names = (0..<11).map { "class, \($0)" }
      try write(name, "\u{feff}" + names.joined(separator: "\r\n") + "\r\n\n")
      let loaded = try folder("*.tar").split()
      let split = loaded.value
      #expect(split.train.classNames == names && split.test.classNames == names)
      #expect((0..<3).map(split.train.label) == [10, 2, 0] && (0..<2).map(split.test.label) == [2, 7])
      #expect(loaded.notes.first?.contains(": no images of class, 1, class, 3, ") == true, "\(loaded.notes)")
      // For eval alone, and with the index that was made without names.
      let test = try folder("val-0.tar").test().value
      #expect(test.classNames == names && (0..<2).map(test.label) == [2, 7])
      try FileManager.default.removeItem(at: root.appendingPathComponent(name))
      try shard("val-0.tar", ["2", "0"])
      #expect(try folder("*.tar").split().value.train.classNames == ["0", "2", "10"])
    }

    /// A label that is a name stays; so do all where one is.
    @Test func namesStay() throws {
      defer { remove() }
      try shard("train-0.tar", ["1", "cat"])
      try shard("val-0.tar", ["1"])
      try write("classes.txt", "a\nb\nc\n")
      let loaded = try folder("*.tar").split()
      #expect(loaded.value.train.classNames == ["1", "cat"])
      let notes = loaded.notes.map { $0.replacingOccurrences(of: root.path, with: "DIR") }
      #expect(
        notes.first == "DIR/classes.txt: is not needed, since labels in the shards are names, such as cat")
    }

    @Test func filesThatDoNotFit() throws {
      defer { remove() }
      try shard("train-0.tar", ["0", "2"])
      try shard("val-0.tar", ["1", "-1"])
      for (text, expected) in [
        ("a\nb", "names 2 classes, 0 to 1, but DIR/train-0.tar has the label 2"),
        ("a\nb\nc\n", "names 3 classes, 0 to 2, but DIR/val-0.tar has the label -1"),
        ("", "expected a name of a class on each line, found none"),
        (" \n\n", "expected a name of a class on each line, found none"),
        ("a\n\nc\n", "line 2: expected the name of class 1, found an empty line"),
        ("a\nb\nc\nb\n", "line 4: found the name of line 2 again, b"),
      ] {
        try write("classes.txt", text)
        #expect(message("*.tar") == "DIR/classes.txt: " + expected)
      }
      // Both names, and shards in several folders: the same names, or none.
      try write("classes.txt", "a\nb\nc\n")
      try shard("val-0.tar", ["1"])
      try write("classnames.txt", "a\nb\nc")
      #expect(message("*.tar") == nil)
      try shard("more/train-1.tar", ["0"])
      try write("more/classes.txt", "a\nb\n")
      #expect(
        message("{train-0,val-0,more/train-1}.tar")
          == "DIR/more/classes.txt: found other names of classes than in DIR/classes.txt")
    }
  }
#endif
