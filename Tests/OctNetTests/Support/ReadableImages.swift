import OctNet
import Testing

/// Data sets in memory, whose images can always be read.
extension Dataset {
  func pixels(at index: Int) -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: imageSize)
    do { try copyPixels(at: index, to: &pixels) } catch { Issue.record(error) }
    return pixels
  }
}

extension BatchLoader {
  /// `forEachBatch` where nothing is thrown.
  func eachBatch(epoch: Int = 0, startingAt first: Int = 0, _ body: (Batch) -> Void) {
    do { try forEachBatch(epoch: epoch, startingAt: first, body) } catch { Issue.record(error) }
  }
}
