#if Images
  import Foundation
  import OctNet
  @testable import OctNetImages
  import Testing

  /// Which images of a folder are read, under which labels and in which order.
  @Suite struct FolderTests {
    /// A folder of 2×2 images; the first pixel's red says which one it is.
    private final class Tree {
      let root = FileManager.default.temporaryDirectory.appendingPathComponent("octnet-" + UUID().uuidString)
      deinit { try? FileManager.default.removeItem(at: root) }

      var path: String { root.path }

      func write(_ name: String, _ bytes: [UInt8]) throws {
        let url = root.appendingPathComponent(name)
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
      }

      func image(_ name: String, _ value: UInt8 = 0) throws { try write(name, FolderTests.png(value)) }

      /// A name that need not be text, below a folder that is there.
      func image(in folder: String, named name: [UInt8], _ value: UInt8) throws {
        let path = Array((self.path + "/" + folder + "/").utf8) + name
        let file = (path.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer {
          fopen($0.baseAddress, "wb")
        }
        let stream = try #require(file)
        let bytes = FolderTests.png(value)
        #expect(fwrite(bytes, 1, bytes.count, stream) == bytes.count)
        fclose(stream)
      }

      func link(_ name: String, to target: String) throws {
        let url = root.appendingPathComponent(name)
        try FileManager.default.createSymbolicLink(atPath: url.path, withDestinationPath: target)
      }
    }

    static func png(_ value: UInt8) -> [UInt8] {
      PNGWriter.file(width: 2, height: 2, depth: 8, rows: [0, value, value, 0, value, value])
    }

    private func values(_ set: any Dataset) -> [UInt8] {
      (0..<set.count).map { index in
        var pixels = [UInt8](repeating: 0, count: set.imageSize)
        do { try set.copyPixels(at: index, to: &pixels) } catch { Issue.record(error) }
        return pixels[0]
      }
    }

    private func folder(_ tree: Tree, _ change: (inout ImageFolder.Options) -> Void = { _ in }) -> ImageFolder
    {
      var options = ImageFolder.Options()
      change(&options)
      return ImageFolder(directory: tree.path, options: options)
    }

    /// The error's text with the tree's path taken out.
    private func message(_ tree: Tree, _ body: () throws -> Void) -> String? {
      do { try body() } catch {
        return "\(error)".replacingOccurrences(of: tree.path, with: "DIR")
      }
      return nil
    }

    /// `sorted(os.walk(folder, followlinks=True))` in Python gives this order: "a-b" comes before "a/", upper case before
    /// lower, and a byte that is no UTF-8 counts as 0xDC00 and itself, behind é and in front of the last planes.
    @Test func filesComeInTorchvisionsOrder() throws {
      let tree = Tree()
      try tree.image("train/x/b.png", 6)
      try tree.image("train/x/B.JPG", 4)
      try tree.image("train/x/a/1.png", 11)
      try tree.image("train/x/a/0/9.png", 12)
      try tree.image("train/x/a-b/1.Jpeg", 10)
      try tree.image("train/x/.hidden.png", 3)
      try tree.image("train/x/\u{e9}.png", 7)
      try tree.image("train/x/\u{1f600}.png", 9)
      try tree.image(in: "train/x", named: [0xe9] + Array(".png".utf8), 8)
      // "é" as two code points comes after "e" and not with "é" as one.
      try tree.image("train/x/e\u{301}.png", 6 + 100)
      try tree.image("train/y/1.png", 20)
      try tree.image("test/x/1.png", 1)
      let split = try folder(tree).split().value
      #expect(values(split.train) == [3, 4, 6, 106, 7, 8, 9, 11, 10, 12, 20])
      #expect(split.train.classNames == ["x", "y"])
    }

    /// Two spellings of "é" are two classes, and one that is not UTF-8 is a third.
    @Test func classesAreOrderedByCodePoints() throws {
      let tree = Tree()
      for (index, name) in ["\u{e9}", "e\u{301}", "Z", "a", "\u{1f600}"].enumerated() {
        try tree.image("train/\(name)/1.png", UInt8(index))
      }
      let raw = Array((tree.path + "/train/").utf8) + [0xe9]
      #expect(mkdir(raw.map { CChar(bitPattern: $0) } + [0], 0o777) == 0)
      try tree.image(in: "train", named: [0xe9] + Array("/1.png".utf8), 5)
      try tree.image("test/a/1.png", 9)
      let loaded = try folder(tree).split()
      let expected = ["Z", "a", "e\u{301}", "\u{e9}", "\\xe9", "\u{1f600}"]
      #expect(loaded.value.train.classNames.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
      #expect(values(loaded.value.train) == [2, 3, 1, 0, 5, 4])
      // The other classes have no test images, and that is said.
      #expect(loaded.value.test.classNames.count == 6 && loaded.value.test.label(at: 0) == 1)
      #expect(loaded.notes == ["\(tree.path)/test: no images of Z, e\u{301}, \u{e9}, \\xe9, \u{1f600}"])
    }

    @Test func whatIsLeftOutIsCounted() throws {
      let tree = Tree()
      for half in ["train", "test"] { try tree.image("\(half)/cat/1.png") }
      for name in ["1.heic", "sub/2.HEIC", "sub/3.gif", "README", ".DS_Store", "4.avif"] {
        try tree.write("train/cat/\(name)", [1])
      }
      try tree.write("train/labels.csv", [1])
      try tree.link("train/dog", to: "/nowhere/dog")
      try tree.link("train/cat/sub/up", to: "..")
      try FileManager.default.createDirectory(
        atPath: tree.path + "/train/.ipynb_checkpoints", withIntermediateDirectories: true)
      let notes = try folder(tree).split().notes.map { $0.replacingOccurrences(of: tree.path, with: "DIR") }
      #expect(
        notes == [
          "DIR/train: left out 6 files, not .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp: "
            + "2 .heic, 1 .avif, 1 .gif, 1 hidden, 1 without extension",
          "DIR/train: left out 1 file beside the folders of classes",
          "DIR/train: no class, but a link to what does not exist: DIR/train/dog",
          "DIR/train: no class, since without images: .ipynb_checkpoints",
          "DIR/train: not followed, since they lead back to a folder above: DIR/train/cat/sub/up",
        ])
    }

    @Test func linksAreFollowed() throws {
      let tree = Tree()
      try tree.image("elsewhere/deep/1.png", 1)
      try tree.image("train/a/0.png", 0)
      try tree.link("train/a/more", to: "../../elsewhere")
      try tree.link("train/b", to: "../elsewhere/deep")
      try tree.image("test/a/0.png", 0)
      let train = try folder(tree).split().value.train
      #expect(values(train) == [0, 1, 1] && (0..<3).map(train.label) == [0, 0, 1])
      try tree.link("train/a/2.png", to: "gone.png")
      let text = message(tree) { _ = try folder(tree) { $0.inMemory = true }.split() }
      #expect(text == "DIR/train/a/2.png: cannot open: a link to gone.png, which does not exist")
    }

    /// As many of each class as the class is large, the first ones, and one at least.
    @Test func limitsTakeFromEveryClass() throws {
      let tree = Tree()
      for (name, count, base) in [("a", 8, 10), ("b", 4, 20), ("c", 1, 30)] {
        for index in 0..<count {
          try tree.image("train/\(name)/\(index).png", UInt8(base + index))
          try tree.image("test/\(name)/\(index).png", UInt8(base + index))
        }
      }
      for (limit, expected) in [
        (3, [10, 20, 30]), (1, [10]), (6, [10, 11, 12, 20, 21, 30]),
        (12, Array(10..<17) + Array(20..<24) + [30]),
        (13, Array(10..<18) + Array(20..<24) + [30]), (99, Array(10..<18) + Array(20..<24) + [30]),
      ] {
        let split = try folder(tree) { ($0.trainLimit, $0.testLimit) = (limit, 2) }.split().value
        #expect(values(split.train) == expected.map(UInt8.init), "\(limit)")
        #expect(values(split.test) == [10, 20])
      }
      #expect(try values(folder(tree) { $0.testLimit = 4 }.test().value) == [10, 11, 20, 30])
    }

    /// All of both halves at once where they are kept; else when it is their turn. Others keep their numbers.
    @Test func damagedImagesAreNamedTogether() throws {
      let tree = Tree()
      for index in 0..<3 { try tree.image("train/a/\(index).png", UInt8(index)) }
      try tree.image("test/a/0.png", 7)
      try tree.write("train/a/1.png", [])
      try tree.write("train/a/3.jpg", Array("text".utf8))
      try tree.write("test/a/9.png", Array(Self.png(1).prefix(50)))
      let found = try #require(message(tree) { _ = try folder(tree) { $0.inMemory = true }.split() })
      #expect(
        found == "DIR: 3 of 6 images that cannot be read: DIR/train/a/1.png: the file is empty; "
          + "DIR/train/a/3.jpg: not a PNG, JPEG, WebP, TIFF or BMP by its first bytes; DIR/test/a/9.png: PNG: truncated; "
          + "--skip-damaged goes on without them")
      // A few are looked at for their mean.
      #expect(message(tree) { _ = try folder(tree).split() } == "DIR/train/a/1.png: the file is empty")
      for inMemory in [false, true] {
        let split = try folder(tree) { ($0.inMemory, $0.skipsDamaged) = (inMemory, true) }.split().value
        #expect(split.train.count == 4 && split.test.count == 2 && split.train.skipsDamaged)
        let read = (0..<4).map { index in
          var pixels = [UInt8](repeating: 0, count: split.train.imageSize)
          let text = message(tree) { try split.train.copyPixels(at: index, to: &pixels) }
          return text ?? "\(pixels[0])"
        }
        #expect(
          read == [
            "0", "DIR/train/a/1.png: the file is empty", "2",
            "DIR/train/a/3.jpg: not a PNG, JPEG, WebP, TIFF or BMP by its first bytes",
          ])
      }
      // Nothing would be left.
      try tree.write("test/a/0.png", [])
      #expect(
        message(tree) { _ = try folder(tree) { ($0.inMemory, $0.skipsDamaged) = (true, true) }.split() }
          != nil)
    }

    @Test func layoutsAreShown() throws {
      let tree = Tree()
      #expect(
        message(tree) { _ = try folder(tree).split() }
          == "DIR: cannot list the folder: No such file or directory")
      try tree.image("cat/1.png")
      try tree.write("list.csv", [])
      let expected = "expected train/CLASS/*.jpg and test/CLASS/*.jpg (or val/CLASS) in it"
      let way = "; or say --test-share, such as 0.1, to take test images from those that are there"
      #expect(
        message(tree) { _ = try folder(tree).split() } == "DIR: \(expected), found cat/, list.csv\(way)")
      try tree.image("train/cat/1.png")
      #expect(
        message(tree) { _ = try folder(tree).split() }
          == "DIR: \(expected), found cat/, list.csv, train/\(way)")
      // A class that only the test images have, one without training images, halves without folders.
      try tree.image("test/dog/1.png")
      #expect(
        message(tree) { _ = try folder(tree).split() }
          == "DIR/test: found classes that are not among those of the training images: dog, expected some of cat"
      )
      try tree.write("train/dog/1.gif", [])
      #expect(
        message(tree) { _ = try folder(tree).split() }
          == "DIR/train: expected .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp files of every class, "
          + "found none of dog, but 1 .gif")
    }

    /// Both names of the validation set and the test set; and test images without any others.
    @Test func halvesAreFound() throws {
      let tree = Tree()
      try tree.image("val/a/1.png", 1)
      #expect(try values(folder(tree).test().value) == [1])
      try tree.image("train/a/1.png", 0)
      let two = try folder(tree).split().value
      #expect(values(two.test) == [1] && two.validation == nil)
      try tree.image("test/a/1.png", 2)
      let split = try folder(tree).split().value
      let validation = try #require(split.validation)
      #expect(values(split.test) == [2] && values(validation) == [1])
      #expect(try values(folder(tree).test().value) == [2])
      try tree.image("valid/a/1.png", 1)
      #expect(
        message(tree) { _ = try folder(tree).split() }
          == "DIR: expected one validation set, found DIR/val, DIR/valid")
    }

    @Test func sizesAreCheckedBeforeMemoryIsTaken() throws {
      let tree = Tree()
      for half in ["train", "test"] { try tree.image("\(half)/a/1.png") }
      for size in [1 << 20, 1 << 40] {
        let text = try #require(message(tree) { _ = try folder(tree) { $0.size = size }.split() })
        #expect(text.hasPrefix("image size: expected at most 16384, found \(size)"), "\(text)")
      }
    }
  }
#endif
