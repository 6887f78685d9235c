#if Images
  import Foundation
  import OctNet
  import OctNetImages
  import Testing

  /// Photographs in a file of prepared images are those of the folder.
  @Suite struct PreparedFolderTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent(
      "octnet-" + UUID().uuidString)

    /// Of two classes and of several sizes.
    private func makeFolder() throws -> String {
      let fixtures = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
      let names = try FileManager.default.contentsOfDirectory(atPath: fixtures.path).sorted()
      let images = names.filter { $0.hasSuffix(".jpg") || $0.hasSuffix(".png") }
      for (part, offset) in [("train", 0), ("val", 1), ("test", 2)] {
        for (number, name) in images.enumerated() where number % 3 == offset {
          let file = root.appendingPathComponent("\(part)/\(number % 2 == 0 ? "even" : "odd")/\(name)")
          try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
          try FileManager.default.copyItem(at: fixtures.appendingPathComponent(name), to: file)
        }
      }
      return root.path
    }

    private func images(_ dataset: any Dataset) throws -> [[Int]] {
      try (0..<dataset.count).map { index in
        var pixels = [UInt8](repeating: 0, count: dataset.imageSize)
        try dataset.copyPixels(at: index, to: &pixels)
        return [dataset.label(at: index)] + pixels.map(Int.init)
      }
    }

    private func load(_ directory: String, size: Int, ratio: Double? = nil) throws -> DataSplit {
      var options = ImageFolder.Options()
      (options.size, options.skipsDamaged) = (size, true)
      options.evaluation.cropRatio = ratio
      return try ImageFolder(directory: directory, options: options).split().value
    }

    private func prepared(_ data: DataSplit) throws -> DataSplit {
      let path = root.path + "/data.images"
      try PreparedFile.write(data, source: "folder:photos", to: path, threads: 2)
      return try PreparedFile(path: path).data
    }

    @Test func theSameBits() throws {
      defer { try? FileManager.default.removeItem(at: root) }
      let folder = try load(makeFolder(), size: 24)
      let file = try prepared(folder)
      #expect(try images(file.train) == images(folder.train) && file.train.count > 3)
      #expect(try images(file.test) == images(folder.test))
      #expect(
        try images(#require(file.validation)) == images(#require(folder.validation)))
      #expect(file.normalization == folder.normalization && file.train.classNames == ["even", "odd"])
    }

    /// With the whole shorter side in the file, its middle is that of the photograph.
    @Test func theMiddleOfAPreparedImageIsThatOfThePhotograph() throws {
      defer { try? FileManager.default.removeItem(at: root) }
      let directory = try makeFolder()
      let file = try prepared(load(directory, size: 80, ratio: 1))
      #expect(try images(file.resized(to: 70).test) == images(load(directory, size: 70).test))
    }
  }
#endif
