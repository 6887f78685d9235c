import OctNetSupport

/// The order of an epoch for images in shards, which are best read from their beginnings to their ends: the shards are shuffled,
/// and their images go through a buffer. It is filled first; each further image then takes the place of a random one, which
/// comes next; at the end the rest comes in random order.
///
/// It follows from seed, epoch and the images' shards alone.
enum ShardOrder {
  /// - Parameters:
  ///   - count: images, in the order in which their shards have them.
  ///   - shard: an image's.
  ///   - buffer: images in the buffer; with as many as there are the order is any.
  static func order(
    count: Int, shard: (Int) -> Int, buffer: Int, seed: UInt64, epoch: Int
  ) -> [Int] {
    var shards: [[Int]] = [], places: [Int: Int] = [:]
    for image in 0..<count {
      let number = shard(image)
      let place = places[number] ?? shards.count
      if place == shards.count {
        places[number] = place
        shards.append([])
      }
      shards[place].append(image)
    }
    var random = RandomStream(seed: seed, "shards", epoch)
    for last in stride(from: shards.count - 1, to: 0, by: -1) {
      shards.swapAt(last, random.index(below: last + 1))
    }
    random = RandomStream(seed: seed, "shuffle", epoch)
    var order: [Int] = [], waiting: [Int] = []
    order.reserveCapacity(count)
    for image in shards.joined() {
      guard waiting.count == buffer else {
        waiting.append(image)
        continue
      }
      let place = random.index(below: buffer)
      order.append(waiting[place])
      waiting[place] = image
    }
    for last in stride(from: waiting.count - 1, to: 0, by: -1) {
      waiting.swapAt(last, random.index(below: last + 1))
    }
    return order + waiting
  }
}
