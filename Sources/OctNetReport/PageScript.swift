import OctNetCore
import OctNetData
import OctNetTraining

/// Shows the values of curves under the pointer. The page is complete without it.
///
/// It has no `<` and no `&`, so that the page is well-formed XML.
enum PageScript {
  static let text = """
    (function () {
      'use strict';
      var tip = document.createElement('div');
      tip.className = 'tip';
      tip.hidden = true;
      document.body.appendChild(tip);
      function add(parent, name, text) {
        var element = document.createElement(name);
        if (text) { element.textContent = text; }
        parent.appendChild(element);
        return element;
      }
      document.querySelectorAll('svg.lines').forEach(function (svg) {
        var axis = svg.dataset.axis.split(' ').map(Number);
        var lines = Array.from(svg.querySelectorAll('[data-y]')).map(function (path) {
          return { path: path, x: path.dataset.x.split(';').map(Number), y: path.dataset.y.split(';') };
        });
        var epochs = Array.from(new Set(lines.map(function (line) { return line.x; }).flat()));
        var rule = document.createElementNS('http://www.w3.org/2000/svg', 'line');
        rule.setAttribute('class', 's-muted');
        rule.setAttribute('stroke-dasharray', '3 3');
        rule.setAttribute('y1', axis[4]);
        rule.setAttribute('y2', axis[5]);
        rule.setAttribute('visibility', 'hidden');
        svg.appendChild(rule);
        function hide() {
          tip.hidden = true;
          rule.setAttribute('visibility', 'hidden');
        }
        function show(event) {
          var point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
          var wanted = axis[2] + (point.x - axis[0]) / (axis[1] - axis[0]) * (axis[3] - axis[2]);
          var epoch = epochs.reduce(function (a, b) {
            return Math.abs(a - wanted) > Math.abs(b - wanted) ? b : a;
          });
          var x = axis[0] + (epoch - axis[2]) / (axis[3] - axis[2]) * (axis[1] - axis[0]);
          rule.setAttribute('x1', x);
          rule.setAttribute('x2', x);
          rule.setAttribute('stroke', getComputedStyle(document.body).color);
          rule.setAttribute('visibility', 'visible');
          tip.textContent = '';
          add(tip, 'strong', 'epoch ' + epoch);
          lines.forEach(function (line) {
            var index = line.x.indexOf(epoch);
            if (index === -1 || line.path.getClientRects().length === 0) { return; }
            var row = add(tip, 'div');
            add(row, 'i').style.background = getComputedStyle(line.path).stroke;
            add(row, 'span', line.path.dataset.label);
            add(row, 'b', line.y[index]);
          });
          tip.hidden = false;
          var right = event.pageX + 16 + tip.offsetWidth > window.scrollX + document.documentElement.clientWidth;
          tip.style.left = Math.max(4, right ? event.pageX - 16 - tip.offsetWidth : event.pageX + 16) + 'px';
          tip.style.top = event.pageY + 12 + 'px';
        }
        svg.addEventListener('pointermove', show);
        svg.addEventListener('pointerdown', show);
        svg.addEventListener('pointerleave', hide);
      });
    }());
    """
}
