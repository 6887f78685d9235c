import Foundation
import OctNet
import OctNetImages
import OctNetSettings

/// The readers of files from outside, each as a function of bytes: it may refuse them with an `OctNetError`,
/// and nothing else may ever happen. A trap, a sanitizer's finding and another error alike end the process.
package enum FuzzReader: String, CaseIterable, Sendable {
  case safetensors, torch, numpy, mxnet, json, yaml, log, idx, cifar, prepared, tar
  case png, jpeg, webp, tiff, bmp

  /// Whether this build has the reader: images need the trait `Images`.
  package var isAvailable: Bool {
    #if Images
      return true
    #else
      return ![.png, .jpeg, .webp, .tiff, .bmp].contains(self)
    #endif
  }

  /// Reads `bytes` in every way that the library has for files of this kind.
  ///
  /// - Parameter scratch: where files are put; most readers take a path.
  package func read(_ bytes: [UInt8], in scratch: FuzzScratch) {
    switch self {
    case .safetensors: readSafetensors(scratch.file("weights.safetensors", bytes))
    case .torch: readWeights(scratch.file("weights.pth", bytes))
    case .numpy: readWeights(scratch.file("weights.npz", bytes))
    case .mxnet: readWeights(scratch.file("weights.params", bytes))
    case .json: readJSON(bytes, scratch)
    case .yaml: readSettings(scratch.file("settings.yaml", bytes))
    case .log: readLogs(bytes, scratch)
    case .idx: readIDX(bytes, scratch)
    case .cifar: readCIFAR(bytes, scratch)
    case .prepared: readPrepared(bytes, scratch)
    case .tar: readTar(bytes, scratch)
    case .png, .jpeg, .webp, .tiff, .bmp: readImage(bytes)
    }
  }

  // MARK: Checkpoints and states

  private func readSafetensors(_ path: String) {
    expectOctNetErrors { _ = try SafetensorsFile(path: path) }
    expectOctNetErrors {
      let checkpoint = try Checkpoint(path: path)
      // The network of a file from outside may be of any size.
      guard let model = checkpoint.model, model.inputHeight <= 64, model.inputWidth <= 64,
        model.classes <= 100, ["resnet20", "resnet32"].contains(model.name)
      else { return }
      _ = try checkpoint.load(into: try model.makeNetwork())
    }
    expectOctNetErrors { _ = try TrainingState(path: path) }
  }

  /// All formats by the one way in: a fuzzer of one finds the others, too.
  private func readWeights(_ path: String) {
    expectOctNetErrors {
      let checkpoint = try Checkpoint(path: path)
      for (name, value) in checkpoint.state {
        if case .tensor(let tensor) = value {
          precondition(tensor.values.count == tensor.shape.reduce(1, *), "\(name) contradicts itself")
        }
      }
    }
  }

  private func readJSON(_ bytes: [UInt8], _ scratch: FuzzScratch) {
    bytes.withUnsafeBufferPointer { buffer in
      do throws(JSONScanner.Failure) {
        _ = try JSONScanner.parse(buffer)
      } catch { precondition(!error.problem.isEmpty && (0...buffer.count).contains(error.offset)) }
    }
    let path = scratch.file("config.json", bytes)
    expectOctNetErrors { try TrainingConfiguration(path: path).validate() }
    expectOctNetErrors { _ = try RunResults(path: path) }
    expectOctNetErrors { try StrictJSON.read(StudyConfiguration.self, path: path).validate() }
  }

  private func readSettings(_ path: String) {
    expectOctNetErrors {
      let file = try ConfigurationFile(path: path)
      _ = try file.imageSize()
      _ = try file.imageSizes()
      _ = try file.string("recipe")
      _ = try file.number("threads")
      let base = QuickStart.configuration(data: "synthetic", normalization: .cifar10, threads: 1)
      let configuration = try file.applied(to: base)
      try configuration.validate()
      // What is read can be written and read again.
      let again = try TrainingConfiguration(settings: configuration.settings(), path: path)
      precondition(again == configuration, "settings change when they are written and read")
    }
  }

  /// The log and, behind the first byte 0, the timing of a run.
  private func readLogs(_ bytes: [UInt8], _ scratch: FuzzScratch) {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
    let run = RunDirectory(path: scratch.path)
    expectOctNetErrors {
      let settings = QuickStart.configuration(data: "synthetic", normalization: .cifar10, threads: 1)
      _ = scratch.file("config.json", Array(try StrictJSON.encode(settings).utf8))
    }
    _ = scratch.file("log.csv", parts[0])
    if parts.count > 1 { _ = scratch.file("timing.csv", parts[1]) } else { scratch.remove("timing.csv") }
    expectOctNetErrors { _ = try Report(directories: [run.path]) }
  }

  // MARK: Data sets

  private func readIDX(_ bytes: [UInt8], _ scratch: FuzzScratch) {
    // Unpacking starts a process; one in so many is enough. make_corpus.py makes its file one of them.
    if bytes.starts(with: [0x1f, 0x8b]), bytes.reduce(0, { $0 &* 31 &+ Int($1) }) & 63 != 0 { return }
    let path = scratch.file("train-images-idx3-ubyte", bytes)
    for rank in 1...3 { expectOctNetErrors { _ = try IDX.read(path, rank: rank) } }
    expectOctNetErrors { _ = try IDX.read(path, rank: 2, type: IDX.intType) }
    // One image of one pixel for the test, so that training images and labels are what is read.
    _ = scratch.file("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 1, 0])
    _ = scratch.file("t10k-images-idx3-ubyte", [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7])
    _ = scratch.file("t10k-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 1, 0])
    expectOctNetErrors { _ = try IDX.load(directory: scratch.path) }
  }

  /// The first byte says which file of the data set the rest is.
  private func readCIFAR(_ bytes: [UInt8], _ scratch: FuzzScratch) {
    guard let choice = bytes.first else { return }
    let file = Array(bytes.dropFirst())
    let isTen = choice & 1 == 0
    let names = isTen ? CIFAR.cifar10Train.map(\.file) + ["test_batch.bin"] : ["train.bin", "test.bin"]
    let labels: CIFAR.Labels = isTen ? .cifar10 : choice & 2 == 0 ? .cifar100Fine : .cifar100Coarse
    let record = [UInt8](repeating: 0, count: labels.recordSize)
    let all = names + [labels.nameFile]
    let chosen = all[Int(choice >> 2) % all.count]
    for name in names { _ = scratch.file(name, record) }
    scratch.remove(labels.nameFile)
    _ = scratch.file(chosen, file)
    expectOctNetErrors { _ = try CIFAR.load(directory: scratch.path, labels: labels) }
  }

  /// As it is, and once more with checksums that fit what is there, which no fuzzer would find.
  private func readPrepared(_ bytes: [UInt8], _ scratch: FuzzScratch) {
    for file in [bytes, sealed(bytes)] {
      let path = scratch.file("data.images", file)
      expectOctNetErrors {
        let data = try PreparedFile(path: path).data
        for images in [data.train, data.test] + [data.validation].compactMap({ $0 }) {
          var pixels = [UInt8](repeating: 0, count: images.imageSize)
          for index in 0..<images.count {
            precondition(images.classNames.indices.contains(images.label(at: index)))
            try images.copyPixels(at: index, to: &pixels)
          }
        }
      }
    }
  }

  private func sealed(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.count >= PreparedLayout.headerSize else { return bytes }
    var bytes = bytes
    func write(_ value: UInt64, at offset: Int, count: Int) {
      for place in 0..<count { bytes[offset + place] = UInt8(truncatingIfNeeded: value >> (8 * place)) }
    }
    func checksum(_ range: Range<Int>) -> UInt64 {
      bytes.withUnsafeBytes { UInt64(PreparedLayout.checksum(UnsafeRawBufferPointer(rebasing: $0[range]))) }
    }
    write(UInt64(bytes.count), at: 16, count: 8)
    let index = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[24 + $1]) << (8 * $1) }
    if index <= UInt64(bytes.count) { write(checksum(Int(index)..<bytes.count), at: 40, count: 4) }
    let end = PreparedLayout.headerChecksum
    write(checksum(0..<end), at: end, count: 4)
    return bytes
  }

  /// As an archive, as a shard, and as the index of one: as it is and with a checksum that fits.
  private func readTar(_ bytes: [UInt8], _ scratch: FuzzScratch) {
    let path = scratch.file("train.tar", bytes)
    expectOctNetErrors {
      let file = try FileReader(path: path)
      var archive = TarReader(file)
      while let entry = try archive.next() {
        precondition(entry.offset + entry.size <= file.size, "\(entry.name) lies outside of the file")
      }
    }
    #if Images
      expectOctNetErrors {
        let index = try ShardScan.index(FilePath(path))
        let again = try ShardIndex(bytes: index.bytes, path: "index")
        precondition(again == index, "an index changes when it is written and read")
      }
      let sealed = bytes.dropLast(4) + checksum(of: bytes.dropLast(4))
      for bytes in [bytes, Array(sealed)] {
        expectOctNetErrors { _ = try ShardIndex(bytes: bytes, path: "index") }
      }
      expectOctNetErrors { _ = try ImageFolder(shards: path).test() }
      scratch.remove("train.tar" + UnsavedShardIndex.ending)
    #endif
  }

  private func checksum(of bytes: ArraySlice<UInt8>) -> [UInt8] {
    let sum = bytes.withUnsafeBytes { PreparedLayout.checksum($0) }
    return withUnsafeBytes(of: sum.littleEndian, Array.init)
  }

  // MARK: Images

  private func readImage(_ bytes: [UInt8]) {
    #if Images
      expectOctNetErrors {
        let image = ImageFile(bytes: bytes, path: "image")
        let (width, height) = try image.size()
        _ = try image.decoded(channels: 3)
        for preparation in [
          Preparation(size: 8, appliesOrientation: true), Preparation(size: 33, shorterSide: 40, channels: 1),
        ] {
          let prepared = try image.prepared(preparation)
          precondition(prepared.width == preparation.size && prepared.height == preparation.size)
        }
        precondition(width > 0 && height > 0)
      }
    #endif
  }
}

/// Runs a reader; errors that are not of the kind that users get, and such without a description, end the process.
private func expectOctNetErrors(_ body: () throws -> Void) {
  do {
    try body()
  } catch let error as OctNetError {
    let text = error.description
    precondition(!text.isEmpty, "an error without a description")
  } catch {
    preconditionFailure("another error than OctNetError: \(error)")
  }
}
