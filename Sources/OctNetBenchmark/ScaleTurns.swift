/// Where the exchange begins to count: found by halving, as all of it grows or falls with what is looked for.
extension ScaleModel {
  /// The efficiency below which an exchange counts.
  package static let goodEfficiency = 0.9

  /// Gbit/s at which the exchange would take as long as what a rank computes; below it bytes are more than computation
  /// can hide. `nil` where messages alone take longer, and where there is no exchange.
  package func balance(ranks: Int, _ link: Link) -> Double? {
    var unlimited = link
    unlimited.gigabits = .infinity
    let rest = work.amongRanks - step(ranks: ranks, unlimited).exchange
    guard ranks > 1, rest > 0 else { return nil }
    return 8e-9 * bytes(ranks: ranks) / rest
  }

  /// The least Gbit/s with a good efficiency; `nil` where none has it, and for one rank.
  package func leastBandwidth(ranks: Int, _ link: Link) -> Double? {
    guard ranks > 1 else { return nil }
    return least { gigabits in
      var link = link
      link.gigabits = gigabits
      return isGood(ranks: ranks, link)
    }
  }

  /// The fewest images of a rank with a good efficiency, where forward and backward are proportional to them; `nil` where it
  /// takes more than any batch has.
  package func leastImages(ranks: Int, _ link: Link) -> Int? {
    func isEnough(_ images: Int) -> Bool {
      var model = self
      model.work = work.scaled(images: images)
      return model.isGood(ranks: ranks, link)
    }
    var (few, enough) = (0, 1 << 20)
    guard isEnough(enough) else { return nil }
    while enough - few > 1 {
      let middle = (few + enough) / 2
      if isEnough(middle) { enough = middle } else { few = middle }
    }
    return enough
  }

  /// Gbit/s at which half of what this network's step is shorter than another one's is lost: that of the factor in images a
  /// second, whose largest is that of an endless bandwidth. `nil` where it is not faster, and for one rank.
  package func halfGain(over other: ScaleModel, ranks: Int, _ link: Link) -> Double? {
    func gain(_ gigabits: Double) -> Double {
      var link = link
      link.gigabits = gigabits
      return step(ranks: ranks, link).imagesPerSecond / other.step(ranks: ranks, link).imagesPerSecond - 1
    }
    let all = gain(.infinity)
    guard ranks > 1, all > 0 else { return nil }
    return least { gain($0) >= all / 2 }
  }

  private func isGood(ranks: Int, _ link: Link) -> Bool {
    step(ranks: ranks, link).efficiency >= Self.goodEfficiency
  }

  /// To a part in a million.
  private func least(_ isEnough: (_ gigabits: Double) -> Bool) -> Double? {
    var (low, high) = (1e-6, 1e6)
    guard isEnough(high) else { return nil }
    while high / low > 1 + 1e-6 {
      let middle = (low * high).squareRoot()
      if isEnough(middle) { high = middle } else { low = middle }
    }
    return high
  }
}
