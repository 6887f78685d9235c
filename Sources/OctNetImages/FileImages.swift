#if Images
  import Foundation
  import OctNet

  /// Labelled image files as a data set: read and decoded each time that they are asked for, or kept decoded.
  ///
  /// Both give the same bits, and the same numbers to images: one that cannot be read keeps its own, and is an error when it
  /// is asked for.
  struct FileImages: Dataset {
    let name: String
    let classNames: [String]
    let files: [ClassListing.File]
    private(set) var preparation: Preparation
    let skipsDamaged: Bool
    let shuffleBuffer: Int?
    /// `nil` reads every time.
    private let kept: KeptImages?
    private var views: WaitingViews?

    init(
      _ listing: ClassListing, _ preparation: Preparation, skipsDamaged: Bool, shuffleBuffer: Int? = nil,
      kept: KeptImages? = nil
    ) throws(OctNetError) {
      name = "\(listing.directory)"
      classNames = try listing.classNames()
      files = listing.files
      self.preparation = preparation
      self.skipsDamaged = skipsDamaged
      self.shuffleBuffer = shuffleBuffer
      self.kept = kept
      imagesPerFile = preparation.viewCount
      views = kept == nil && imagesPerFile > 1 ? WaitingViews() : nil
    }

    /// All views of a file's image follow each other.
    let imagesPerFile: Int
    var count: Int { files.count * imagesPerFile }
    var height: Int { preparation.size }
    var width: Int { preparation.size }
    var channels: Int { preparation.channels }

    /// 0 for those without one, which nobody asks for.
    func label(at index: Int) -> Int { files[index / imagesPerFile].label ?? 0 }

    func shard(at index: Int) -> Int { files[index / imagesPerFile].shard }

    /// Made of the files anew, unless all that is kept has the network's size.
    func scaled(to size: Int) throws(OctNetError) -> any Dataset {
      guard size != preparation.size else { return self }
      guard hasPhotographs else {
        return try resized(to: size, EvaluationSettings(cropRatio: 1, cropMode: .squash))
      }
      var result = self
      result.preparation.evaluation.cropRatio = preparation.transform.shownRatio
      result.preparation.size = size
      if views != nil { result.views = WaitingViews() }
      return result
    }

    /// Not of images that are kept at the network's size.
    var hasPhotographs: Bool { kept?.hasPhotographs ?? true }

    func withPhotograph(at index: Int, _ body: (PixelView) -> Void) throws(OctNetError) {
      let file = index / imagesPerFile
      if let kept { return try kept.withPhotograph(file, body) }
      try ImageFile(files[file]).withDecoded(
        channels: channels, appliesOrientation: preparation.appliesOrientation, body)
    }

    func withPhotograph(
      at index: Int, part: (_ width: Int, _ height: Int) -> PixelBox, _ body: (PixelView) -> Void
    ) throws(OctNetError) {
      let file = index / imagesPerFile
      if let kept {
        return try kept.withPhotograph(file) { body($0.part(part($0.width, $0.height))) }
      }
      try ImageFile(files[file]).withDecoded(
        channels: channels, appliesOrientation: preparation.appliesOrientation,
        least: preparation.evaluation.scaledDecoding == true ? preparation.size : nil, box: part, body)
    }

    func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) throws(OctNetError) {
      let (file, view) = (index / imagesPerFile, index % imagesPerFile)
      let pixels: [UInt8]
      if let kept {
        pixels = try kept.pixels(file, preparation)
      } else if let views {
        pixels = try views.take(file: file, view: view, of: imagesPerFile) { () throws(OctNetError) in
          try Self.pixels(files[file], preparation)
        }
      } else {
        pixels = try Self.pixels(files[file], preparation)
      }
      // One view of six may come from an array of all.
      let start = pixels.count == imageSize ? 0 : view * imageSize
      pixels.withUnsafeBufferPointer {
        if let base = $0.baseAddress { destination.update(from: base + start, count: imageSize) }
      }
    }

    /// All views of a file's image, one after the other.
    static func pixels(_ file: ClassListing.File, _ preparation: Preparation) throws(OctNetError) -> [UInt8] {
      let views = try ImageFile(file).views(preparation)
      return views.count == 1 ? views[0].pixels : views.flatMap(\.pixels)
    }
  }

  /// Views of images that were made together with the first, until each has been taken.
  ///
  /// Unchecked: only touched under the lock.
  private final class WaitingViews: @unchecked Sendable {
    private let lock = NSLock()
    private var waiting: [Int: [UInt8]] = [:]

    /// All views of a file where one is taken; made anew where its first one is, or nothing waits.
    func take(
      file: Int, view: Int, of count: Int, _ make: () throws(OctNetError) -> [UInt8]
    ) throws(OctNetError) -> [UInt8] {
      if view > 0 {
        let found = lock.withLock { view == count - 1 ? waiting.removeValue(forKey: file) : waiting[file] }
        if let found { return found }
        return try make()
      }
      let made = try make()
      lock.withLock { waiting[file] = made }
      return made
    }
  }

  /// Decoded images in memory: as they are, where random crops are parts of them, or else at the network's size.
  struct KeptImages: Sendable {
    enum Image: Sendable {
      case pixels([UInt8])
      case photograph(RasterImage)
      case damaged(OctNetError)
    }

    let hasPhotographs: Bool
    private let images: [Image]

    /// Decodes all of a listing by several threads.
    ///
    /// - Throws: `OctNetError.configuration` where photographs need more memory than there is.
    init(
      _ listing: ClassListing, _ preparation: Preparation, photographs: Bool, threads: Int
    ) throws(OctNetError) {
      hasPhotographs = photographs
      let memory = Budget(files: listing.files.count)
      images = Self.concurrently(listing.files, threads: threads) { file in
        guard memory.error == nil else { return .damaged(.configuration(key: "", "")) }
        do throws(OctNetError) {
          guard photographs else { return .pixels(try FileImages.pixels(file, preparation)) }
          let image = try ImageFile(file).decoded(
            channels: preparation.channels, appliesOrientation: preparation.appliesOrientation)
          memory.take(image.pixels.count)
          return .photograph(image)
        } catch { return .damaged(error) }
      }
      if let error = memory.error { throw error }
    }

    /// What is wrong with which file, in order.
    var damages: [(file: Int, problem: OctNetError)] {
      zip(0..., images).compactMap {
        guard case .damaged(let problem) = $1 else { return nil }
        return ($0, problem)
      }
    }

    func withPhotograph(_ file: Int, _ body: (PixelView) -> Void) throws(OctNetError) {
      switch images[file] {
      case .photograph(let image): image.withView(body)
      case .damaged(let problem): throw problem
      case .pixels: preconditionFailure("images at the network's size")
      }
    }

    func pixels(_ file: Int, _ preparation: Preparation) throws(OctNetError) -> [UInt8] {
      switch images[file] {
      case .pixels(let pixels): return pixels
      case .photograph(let image): return image.prepared(preparation)
      case .damaged(let problem): throw problem
      }
    }

    /// Results in the order of `items`, whichever thread makes which.
    private static func concurrently<Item: Sendable>(
      _ items: [Item], threads: Int, _ body: @escaping @Sendable (Item) -> Image
    ) -> [Image] {
      let results = Results(count: items.count)
      let group = DispatchGroup()
      for _ in 0..<max(1, min(threads, items.count)) {
        group.enter()
        let worker = Thread {
          while let index = results.next() { results.set(index, body(items[index])) }
          group.leave()
        }
        worker.name = "OctNet images"
        worker.start()
      }
      group.wait()
      return results.images
    }

    /// Unchecked: only touched under the lock, and read when all threads are done.
    private final class Results: @unchecked Sendable {
      private let lock = NSLock()
      private var issued = 0
      private(set) var images: [Image]

      init(count: Int) { images = [Image](repeating: .pixels([]), count: count) }

      func next() -> Int? {
        lock.withLock {
          guard issued < images.count else { return nil }
          issued += 1
          return issued - 1
        }
      }

      func set(_ index: Int, _ image: Image) { lock.withLock { images[index] = image } }
    }

    /// What photographs take, whose sizes are known one by one. Unchecked: only touched under the lock.
    private final class Budget: @unchecked Sendable {
      private let lock = NSLock()
      private let files: Int
      private var images = 0, bytes = 0
      private var problem: OctNetError?

      init(files: Int) { self.files = files }

      var error: OctNetError? { lock.withLock { problem } }

      func take(_ more: Int) {
        lock.withLock {
          images += 1
          bytes += more
          // From the mean of those that are there; asking the system each time would take longer than decoding.
          guard problem == nil, images & (images - 1) == 0 else { return }
          let rest = bytes / images * (files - images)
          do throws(OctNetError) {
            try MemoryDemand.check(
              rest, for: "\(numbered(files - images, "more photograph")) in memory", key: "in-memory")
          } catch { problem = error }
        }
      }
    }
  }
#endif
